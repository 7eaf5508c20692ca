"""S3, and the IAM roles that replication acts in."""

import json

from cloud import *


def _bucket(kind, west=False):
    made = name(kind)
    if west:
        s3_west.create_bucket(Bucket=made, CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
    else:
        s3.create_bucket(Bucket=made)
    return made


def _version(client_, bucket):
    client_.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def _role():
    trust = '{"Version": "2012-10-17", "Statement": []}'
    return iam.create_role(RoleName=name("role"), AssumeRolePolicyDocument=trust)["Role"]["Arn"]


def _replicate(source, target, role):
    rule = {
        "ID": "all",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "Status": "Enabled",
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{target}"},
    }
    return s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": [rule]})


def a_bucket_of_ours_is_told_as_ours():
    made = _bucket("ours", west=True)
    again = {"LocationConstraint": "us-west-1"}
    refused("BucketAlreadyOwnedByYou", s3_west.create_bucket, Bucket=made, CreateBucketConfiguration=again)


def in_us_east_1_a_bucket_of_ours_is_made_again_without_complaint():
    s3.create_bucket(Bucket=_bucket("ours"))


def a_bucket_is_made_where_it_was_asked_for():
    other = {"LocationConstraint": "eu-west-1"}
    refused("IllegalLocationConstraintException", s3_west.create_bucket, Bucket=name("x"), CreateBucketConfiguration=other)
    refused("IllegalLocationConstraintException", s3_west.create_bucket, Bucket=name("x"))


def odd_names_are_refused():
    for wrong in ["Upper-case", "under_score", "ab", "192.0.2.1", "-x-y"]:
        refused("InvalidBucketName", s3.create_bucket, Bucket=wrong)


def a_new_bucket_is_encrypted_and_private():
    made = _bucket("new")
    rule = s3.get_bucket_encryption(Bucket=made)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert all(s3.get_public_access_block(Bucket=made)["PublicAccessBlockConfiguration"].values())
    assert "Status" not in s3.get_bucket_versioning(Bucket=made)


def what_was_never_set_is_told_by_its_own_code():
    made = _bucket("bare")
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=made)
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=made)
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=made)
    refused("ReplicationConfigurationNotFoundError", s3.get_bucket_replication, Bucket=made)
    refused("NoSuchBucket", s3.get_bucket_tagging, Bucket="nobody-has-this-bucket")
    refused("404", s3.head_bucket, Bucket="nobody-has-this-bucket")


def a_buckets_settings_read_back_as_written():
    made = _bucket("set")
    rule = {
        "ID": "all",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Transitions": [{"Days": 30, "StorageClass": "GLACIER_IR"}],
        "Expiration": {"Days": 365},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=made, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=made)["Rules"] == [rule]
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"*"}]}'
    s3.put_bucket_policy(Bucket=made, Policy=policy)
    assert s3.get_bucket_policy(Bucket=made)["Policy"] == policy
    s3.put_bucket_tagging(Bucket=made, Tagging={"TagSet": [{"Key": "inferadb.com/name", "Value": "a b"}]})
    assert s3.get_bucket_tagging(Bucket=made)["TagSet"] == [{"Key": "inferadb.com/name", "Value": "a b"}]
    s3.delete_bucket_lifecycle(Bucket=made)
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=made)


def objects_do_not_expire_before_they_move():
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
    rule["Transitions"] = [{"Days": 30, "StorageClass": "GLACIER_IR"}]
    wrong = {"Rules": [rule]}
    refused("InvalidArgument", s3.put_bucket_lifecycle_configuration, Bucket=_bucket("days"), LifecycleConfiguration=wrong)


def a_bucket_is_answered_for_by_its_own_region():
    made = _bucket("west", west=True)
    here = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    plain = boto3.client("s3", config=here)
    # boto3 follows the redirect by itself, and finds the region in it.
    assert plain.get_bucket_location(Bucket=made)["LocationConstraint"] == "us-west-1"


def a_bucket_with_versions_in_it_stays():
    made = _bucket("full")
    _version(s3, made)
    s3.put_object(Bucket=made, Key="k", Body=b"1")
    s3.delete_object(Bucket=made, Key="k")
    assert "Contents" not in s3.list_objects_v2(Bucket=made)
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=made)
    found = s3.list_object_versions(Bucket=made)
    for one in found["Versions"] + found["DeleteMarkers"]:
        s3.delete_object(Bucket=made, Key=one["Key"], VersionId=one["VersionId"])
    s3.delete_bucket(Bucket=made)


def replication_needs_versions_at_both_ends():
    source, target, role = _bucket("from"), _bucket("to", west=True), _role()
    assert "Versioning must be" in refused("InvalidRequest", _replicate, source, target, role)
    _version(s3, source)
    said = eventually(lambda: refused("InvalidRequest", _replicate, source, target, role), lambda text: "Destination" in text)
    assert "must have versioning" in said
    _version(s3_west, target)
    eventually(lambda: _replicate(source, target, role))
    refused("InvalidRequest", _replicate, source, "no-such-bucket-anywhere", role)


def a_role_can_be_used_only_after_a_while():
    source, target = _bucket("from"), _bucket("to", west=True)
    _version(s3, source)
    _version(s3_west, target)
    nobody = "arn:aws:iam::123456789012:role/nobody"
    told = lambda: refused(None, _replicate, source, target, nobody)
    eventually(told, lambda said: "Invalid role" in said)
    role = _role()
    assert "Invalid role" in refused("InvalidArgument", _replicate, source, target, role)
    eventually(lambda: _replicate(source, target, role))


def a_role_stays_until_a_while_after_its_policies():
    _role()
    document = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    iam.put_role_policy(RoleName=name("role"), PolicyName="p", PolicyDocument=document)
    refused("DeleteConflict", iam.delete_role, RoleName=name("role"))
    iam.delete_role_policy(RoleName=name("role"), PolicyName="p")
    # That it is gone spreads only after a while.
    refused("DeleteConflict", iam.delete_role, RoleName=name("role"))
    eventually(lambda: iam.delete_role(RoleName=name("role")))


def a_new_role_shows_only_after_a_while():
    _role()
    refused("NoSuchEntity", iam.get_role, RoleName=name("role"))
    eventually(lambda: iam.get_role(RoleName=name("role")))
    refused("EntityAlreadyExists", _role)


def _policy(bucket, **more):
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}/*"]} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [deny]})


def a_bucket_for_tls_only_takes_objects():
    made = _bucket("tls")
    policy = _policy(made, Condition={"Bool": {"aws:SecureTransport": "false"}})
    s3.put_bucket_policy(Bucket=made, Policy=policy)
    assert s3.get_bucket_policy(Bucket=made)["Policy"] == policy
    s3.put_object(Bucket=made, Key="k", Body=b"x")
    assert s3.get_object(Bucket=made, Key="k")["Body"].read() == b"x"
    s3.delete_object(Bucket=made, Key="k")
    s3.delete_bucket_policy(Bucket=made)
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=made)


def a_policy_that_denies_tls_calls_too_is_kept_to():
    made = _bucket("deny")
    s3.put_bucket_policy(Bucket=made, Policy=_policy(made))
    refused("AccessDenied", s3.put_object, Bucket=made, Key="k", Body=b"x")
    # The next policy takes the place of the one before.
    s3.put_bucket_policy(Bucket=made, Policy=_policy(made, Condition={"Bool": {"aws:SecureTransport": "false"}}))
    s3.put_object(Bucket=made, Key="k", Body=b"x")


def a_policy_that_is_no_json_is_refused():
    made = _bucket("odd")
    for wrong in ["policy", "[]", ""]:
        refused("MalformedPolicy", s3.put_bucket_policy, Bucket=made, Policy=wrong)
    refused("NoSuchBucket", s3.put_bucket_policy, Bucket=name("none"), Policy=_policy("none"))


def a_buckets_policy_can_keep_its_owner_out():
    bucket = name("closed")
    s3.create_bucket(Bucket=bucket)
    arn = f"arn:aws:s3:::{bucket}"
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetBucketTagging", "Resource": arn}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    refused("AccessDenied", s3.get_bucket_tagging, Bucket=bucket)
    s3.get_bucket_versioning(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=bucket)
