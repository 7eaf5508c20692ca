"""Cases that the Rust side sets the scene for: quotas, faults, lost answers, other accounts."""

import json
import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from botocore.exceptions import ConnectionClosedError, ConnectionError as Unreachable, ReadTimeoutError

from cloud import *


def the_quota_holds_for_the_second_instance():
    place = subnet(vpc())
    run(place)
    assert "vCPU limit" in refused("VcpuLimitExceeded", run, place)


def a_terminated_instance_does_not_count():
    place = subnet(vpc())
    made = run(place)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    run(place)


def denied_in_each_protocol():
    assert "not authorized to perform: ec2:CreateVpc" in refused("UnauthorizedOperation", ec2.create_vpc, CidrBlock=CIDR)
    refused("AccessDenied", elb.describe_load_balancers)
    refused("AccessDenied", iam.list_roles)
    refused("AccessDenied", route53.list_hosted_zones)
    refused("AccessDenied", s3.list_buckets)


def throttled_in_each_protocol():
    refused("RequestLimitExceeded", ec2.describe_vpcs)
    refused("Throttling", elb.describe_load_balancers)
    refused("Throttling", iam.list_roles)
    refused("Throttling", route53.list_hosted_zones)
    refused("SlowDown", s3.list_buckets)


def broken_in_each_protocol():
    refused("InternalError", ec2.describe_vpcs)
    refused("InternalFailure", elb.describe_load_balancers)
    refused("InternalFailure", iam.list_roles)
    refused("InternalFailure", route53.list_hosted_zones)
    refused("InternalError", s3.list_buckets)


def an_answer_is_lost_and_the_token_finds_the_instance():
    place = subnet(vpc())
    try:
        run(place, token="lost")
        raise AssertionError("the answer came")
    except (ConnectionClosedError, Unreachable):
        pass
    first = run(place, token="lost")["InstanceId"]
    assert run(place, token="lost")["InstanceId"] == first


def a_call_takes_effect_though_its_client_has_gone():
    hasty = boto3.client("ec2", config=Config(retries={"total_max_attempts": 1}, read_timeout=0.2))
    try:
        hasty.create_vpc(CidrBlock=CIDR, TagSpecifications=tags("vpc", Name="hasty"))
        raise AssertionError("the answer came")
    except ReadTimeoutError:
        pass
    named = [{"Name": "tag:Name", "Values": ["hasty"]}]
    eventually(lambda: ec2.describe_vpcs(Filters=named)["Vpcs"])


def writes_know_new_objects_no_sooner_than_reads():
    made = ec2.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
    refused("InvalidVpcID.NotFound", ec2.create_subnet, VpcId=made, CidrBlock=CIDR)
    eventually(lambda: ec2.create_subnet(VpcId=made, CidrBlock=CIDR))


def a_network_with_a_name():
    ec2.create_vpc(CidrBlock=CIDR, TagSpecifications=tags("vpc", Name="mine"))


def another_account_sees_nothing():
    assert client("sts").get_caller_identity()["Account"] == "210987654321"
    assert ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["mine"]}])["Vpcs"] == []


def a_bucket_with_a_name():
    s3.create_bucket(Bucket="mine-alone")


def another_accounts_bucket_is_out_of_reach():
    refused("BucketAlreadyExists", s3.create_bucket, Bucket="mine-alone")
    refused("AccessDenied", s3.get_bucket_tagging, Bucket="mine-alone")
    refused("403", s3.head_bucket, Bucket="mine-alone")


def unknown_credentials():
    stranger = {"aws_access_key_id": "AKIANOBODYKNOWS00000", "aws_secret_access_key": "x"}
    refused("AuthFailure", client("ec2", **stranger).describe_vpcs)
    refused("InvalidClientTokenId", client("sts", **stranger).get_caller_identity)
    refused("InvalidAccessKeyId", client("s3", **stranger).list_buckets)


def a_person_looks_in_and_disturbs():
    def ask(method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        asked = Request(os.environ["SANDBOX_CONTROL_URL"] + path, data=data, method=method)
        return json.load(urlopen(asked, timeout=20))

    ask("POST", "/faults", {"matcher": {"action": "CreateVpc"}, "injection": {"fault": "throttle"}, "times": 1})
    refused("RequestLimitExceeded", ec2.create_vpc, CidrBlock=CIDR)
    made = ec2.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
    assert [one["id"] for one in ask("GET", "/inventory")] == [made]
    assert ask("GET", "/created") == {"CreateVpc": 1}
    calls = ask("GET", "/ledger")
    assert [one["outcome"] for one in calls] == [{"failed": "RequestLimitExceeded"}, "ok"]
    assert ask("GET", "/ledger?after=1") == calls[1:]
    ask("POST", "/faults", {"matcher": {}, "injection": "lose_answer", "times": None})
    ask("DELETE", "/faults")
    ec2.describe_vpcs()
    ask("POST", "/quota", {"instances": 0})
    refused("VcpuLimitExceeded", run, subnet(made))
    for wrong in [{"matcher": {"verb": "x"}, "injection": "lose_answer"}, {}]:
        try:
            ask("POST", "/faults", wrong)
            raise AssertionError("accepted")
        except HTTPError as error:
            assert error.code == 400


def an_instance_lives_and_dies():
    made = running(subnet(vpc()), UserData="machine: secret", TagSpecifications=tags("instance", Name="n1"))
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    in_state(made["InstanceId"], "terminated")
