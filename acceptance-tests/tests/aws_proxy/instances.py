"""Instances and images."""

import base64

from cloud import *


def a_token_gives_the_same_instance():
    place = subnet(vpc())
    first = run(place, token=name("same"))
    assert run(place, token=name("same"))["InstanceId"] == first["InstanceId"]
    assert run(place, token=name("another"))["InstanceId"] != first["InstanceId"]


def a_token_is_known_in_its_zone_only():
    network = vpc()
    first = run(subnet(network), token=name("zonal"))["InstanceId"]
    assert run(subnet(network, "b", 1), token=name("zonal"))["InstanceId"] != first


def a_token_gives_the_same_instance_even_when_it_is_terminated():
    place = subnet(vpc())
    made = run(place, token=name("gone"))["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    in_state(made, "terminated")
    again = run(place, token=name("gone"))
    assert (again["InstanceId"], again["State"]["Name"]) == (made, "terminated")


def a_token_with_other_parameters_is_refused():
    place = subnet(vpc())
    run(place, token=name("other"))
    refused("IdempotentParameterMismatch", run, place, token=name("other"), UserData="x")


def user_data_has_sixteen_kibibytes_before_base64():
    place = subnet(vpc())
    run(place, UserData="x" * 16384)
    refused("InvalidParameterValue", run, place, UserData="x" * 16385)


def user_data_comes_back():
    made = run(subnet(vpc()), UserData="machine:")["InstanceId"]
    eventually(lambda: instance(made))
    found = ec2.describe_instance_attribute(InstanceId=made, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(found) == b"machine:"


def an_instance_is_pending_first_and_has_its_public_address_after_it_runs():
    made = run(subnet(vpc()))
    assert made["State"]["Name"] == "pending"
    assert "PublicIpAddress" not in made
    found = in_state(made["InstanceId"], "running")
    assert "PublicIpAddress" not in found
    found = eventually(lambda: instance(made["InstanceId"]), lambda found: "PublicIpAddress" in found)
    private = made["PrivateIpAddress"].split(".")
    private[1] = str(int(private[1]) + 100)
    assert found["PublicIpAddress"] == ".".join(private)
    assert found["PublicDnsName"].startswith("ec2-127-")


def a_filter_on_the_state_means_the_state_that_shows():
    network = vpc()
    made = run(subnet(network))["InstanceId"]

    def having(*states):
        filters = [{"Name": "vpc-id", "Values": [network]}, {"Name": "instance-state-name", "Values": list(states)}]
        found = ec2.describe_instances(Filters=filters)["Reservations"]
        return [one["InstanceId"] for reservation in found for one in reservation["Instances"]]

    eventually(lambda: having("pending"), lambda found: found == [made])
    eventually(lambda: having("running"), lambda found: found == [made])
    assert having("pending", "terminated") == []


def a_terminated_instance_is_in_no_network():
    made = running(subnet(vpc()))["InstanceId"]
    ending = ec2.terminate_instances(InstanceIds=[made])["TerminatingInstances"][0]
    assert (ending["PreviousState"]["Name"], ending["CurrentState"]["Name"]) == ("running", "shutting-down")
    found = in_state(made, "terminated")
    assert not found.get("VpcId") and not found.get("PrivateIpAddress") and found["SecurityGroups"] == []


def disks_and_interfaces_go_with_their_instance():
    network = vpc()
    disk = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "Encrypted": True, "VolumeType": "gp3"}}]
    made = running(subnet(network), BlockDeviceMappings=disk)["InstanceId"]
    of_it = [{"Name": "attachment.instance-id", "Values": [made]}]
    volume = ec2.describe_volumes(Filters=of_it)["Volumes"][0]
    assert (volume["Size"], volume["Encrypted"], volume["VolumeType"]) == (20, True, "gp3")
    ec2.terminate_instances(InstanceIds=[made])
    in_state(made, "terminated")
    refused("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=[volume["VolumeId"]])
    in_network = [{"Name": "vpc-id", "Values": [network]}]
    assert ec2.describe_network_interfaces(Filters=in_network)["NetworkInterfaces"] == []


def tags_reach_disk_and_interface():
    wanted = tags("instance", a="1") + tags("volume", a="2") + tags("network-interface", a="3")
    made = running(subnet(vpc()), TagSpecifications=wanted)
    of_it = [{"Name": "attachment.instance-id", "Values": [made["InstanceId"]]}]
    assert made["Tags"] == [{"Key": "a", "Value": "1"}]
    assert ec2.describe_volumes(Filters=of_it)["Volumes"][0]["Tags"] == [{"Key": "a", "Value": "2"}]
    interface = ec2.describe_network_interfaces(Filters=of_it)["NetworkInterfaces"][0]
    assert interface["TagSet"] == [{"Key": "a", "Value": "3"}]


def a_full_subnet_takes_no_more():
    refused("InsufficientFreeAddressesInSubnet", run, subnet(vpc()), MinCount=60, MaxCount=60)


def a_root_disk_holds_its_image():
    disk = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}]
    refused("InvalidBlockDeviceMapping", run, subnet(vpc()), BlockDeviceMappings=disk)


def metadata_options_are_kept_and_checked():
    place = subnet(vpc())
    found = running(place, MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2})["MetadataOptions"]
    assert (found["HttpTokens"], found["HttpPutResponseHopLimit"]) == ("required", 2)
    refused("InvalidParameterValue", run, place, MetadataOptions={"HttpPutResponseHopLimit": 65})


def a_group_of_another_network_is_refused():
    place, foreign = subnet(vpc()), group(vpc())
    refused("InvalidParameter", run, place, [foreign])


def an_unknown_machine_type_is_refused():
    refused("InvalidParameterValue", run, subnet(vpc()), InstanceType="m99.huge")


def a_machine_type_of_another_architecture_is_refused():
    refused("InvalidParameterValue", run, subnet(vpc()), InstanceType="m6g.large")


def a_dry_run_does_nothing():
    place = subnet(vpc())
    refused("DryRunOperation", run, place, DryRun=True)
    made = running(place)["InstanceId"]
    refused("DryRunOperation", ec2.terminate_instances, InstanceIds=[made], DryRun=True)
    assert instance(made)["State"]["Name"] == "running"


def a_protected_instance_stays():
    made = running(subnet(vpc()), DisableApiTermination=True)["InstanceId"]
    refused("OperationNotPermitted", ec2.terminate_instances, InstanceIds=[made])
    ec2.modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[made])


def an_image_is_there_in_its_own_region_only():
    west = client("ec2", "us-west-1")
    refused("InvalidAMIID.NotFound", west.describe_images, ImageIds=[image()])
    names = {found["Name"] for found in west.describe_images(Owners=[TALOS])["Images"]}
    assert "talos-v1.13.9-us-west-1-arm64" in names and not any("us-east-1" in found for found in names)


def a_look_alike_bears_the_same_name():
    by_name = [{"Name": "name", "Values": ["talos-v1.13.9-us-east-1-amd64"]}]
    found = ec2.describe_images(Filters=by_name)["Images"]
    newest = max(found, key=lambda one: one["CreationDate"])
    assert len(found) == 2 and newest["OwnerId"] != TALOS
    assert [one["OwnerId"] for one in ec2.describe_images(Owners=[TALOS], Filters=by_name)["Images"]] == [TALOS]


def an_unknown_volume_type_is_refused():
    place = subnet(vpc())

    def with_disk(kind):
        return [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": kind, "VolumeSize": 20}}]

    message = refused("InvalidParameterValue", run, place, BlockDeviceMappings=with_disk("foo"))
    assert "'foo'" in message, message
    run(place, BlockDeviceMappings=with_disk("gp2"))


def every_region_has_images():
    for region in ["us-west-2", "eu-west-2", "eu-central-1"]:
        wanted = [{"Name": "name", "Values": [f"talos-v1.13.9-{region}-amd64"]}]
        found = client("ec2", region).describe_images(Owners=[TALOS], Filters=wanted)["Images"]
        assert len(found) == 1, (region, found)


def a_deprecated_image_is_listed_only_when_it_is_asked_for():
    named = [{"Name": "name", "Values": ["talos-v1.8.0-us-east-1-amd64"]}]
    assert not ec2.describe_images(Owners=[TALOS], Filters=named)["Images"]
    found = ec2.describe_images(Owners=[TALOS], Filters=named, IncludeDeprecated=True)["Images"]
    assert found[0]["DeprecationTime"].startswith("2026-09-23")
    assert ec2.describe_images(ImageIds=[found[0]["ImageId"]])["Images"]


def a_type_runs_only_where_it_is_offered():
    wanted = [{"Name": "instance-type", "Values": ["t3.medium"]}]
    offers = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=wanted)
    assert "us-east-1e" not in {offer["Location"] for offer in offers["InstanceTypeOfferings"]}
    message = refused("Unsupported", run, subnet(vpc(), "e"), InstanceType="t3.medium")
    assert "us-east-1a" in message


def an_image_that_wants_uefi_runs_on_a_type_that_has_it():
    place = subnet(vpc())
    assert "boot mode" in refused("InvalidParameterCombination", run, place, InstanceType="t2.medium")
    run(place, InstanceType="t2.medium", ImageId=image(name="talos-v1.12.0-us-east-1-amd64"))
