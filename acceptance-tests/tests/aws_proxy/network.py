"""VPCs, subnets, gateways, security groups, tags."""

from cloud import *


def a_new_object_shows_only_after_a_while():
    made = ec2.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[made])
    by_filter = lambda: ec2.describe_vpcs(Filters=[{"Name": "vpc-id", "Values": [made]}])["Vpcs"]
    assert by_filter() == []
    eventually(by_filter)
    assert ec2.describe_vpcs(VpcIds=[made])["Vpcs"]


def changed_tags_show_only_after_a_while():
    made = vpc()
    ec2.create_tags(Resources=[made], Tags=[{"Key": "a", "Value": "1"}])
    read = lambda: ec2.describe_vpcs(VpcIds=[made])["Vpcs"][0].get("Tags", [])
    assert read() == []
    eventually(read)
    ec2.delete_tags(Resources=[made], Tags=[{"Key": "a"}])
    assert read() != []
    eventually(read, lambda found: found == [])


def tags_of_what_is_not_there_are_refused():
    refused("InvalidVpcID.NotFound", ec2.create_tags, Resources=["vpc-0123"], Tags=[{"Key": "a", "Value": "1"}])


def reserved_tags_are_refused():
    refused("InvalidParameterValue", ec2.create_tags, Resources=[vpc()], Tags=[{"Key": "aws:a", "Value": "1"}])


def tags_of_another_kind_are_refused():
    refused("InvalidParameterValue", ec2.create_vpc, CidrBlock=CIDR, TagSpecifications=tags("subnet", a="1"))


def a_subnet_with_an_instance_stays_until_that_is_terminated():
    place = subnet(vpc())
    made = run(place)["InstanceId"]
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=place)
    ec2.terminate_instances(InstanceIds=[made])
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=place)
    in_state(made, "terminated")
    ec2.delete_subnet(SubnetId=place)


def a_group_that_an_instance_bears_stays():
    network = vpc()
    made = group(network)
    run(subnet(network), [made])
    refused("DependencyViolation", ec2.delete_security_group, GroupId=made)


def a_group_that_another_names_stays():
    network = vpc()
    one, two = group(network, "one"), group(network, "two")
    rule = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": one}]}]
    ec2.authorize_security_group_ingress(GroupId=two, IpPermissions=rule)
    refused("DependencyViolation", ec2.delete_security_group, GroupId=one)
    ec2.revoke_security_group_ingress(GroupId=two, IpPermissions=rule)
    ec2.delete_security_group(GroupId=one)


def a_group_that_names_itself_goes():
    made = group(vpc())
    rule = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": made}]}]
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=rule)
    ec2.delete_security_group(GroupId=made)


def a_group_has_a_name_of_its_own_in_its_network():
    network = vpc()
    group(network)
    refused("InvalidGroup.Duplicate", group, network)
    group(vpc())


def a_rule_is_there_once():
    made = group(vpc())
    admit(made, 6443)
    refused("InvalidPermission.Duplicate", admit, made, 6443)


def odd_letters_in_descriptions_are_refused():
    network = vpc()
    refused("InvalidParameterValue", ec2.create_security_group, GroupName="n", Description="the node's", VpcId=network)


def the_default_group_stays():
    found = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc()]}])["SecurityGroups"]
    refused("CannotDelete", ec2.delete_security_group, GroupId=found[0]["GroupId"])


def a_network_stays_while_anything_is_in_it():
    network = vpc()
    made = group(network)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=network)
    ec2.delete_security_group(GroupId=made)
    attached = gateway(network)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=network)
    ec2.detach_internet_gateway(InternetGatewayId=attached, VpcId=network)
    place = subnet(network)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=network)
    ec2.delete_subnet(SubnetId=place)
    ec2.delete_vpc(VpcId=network)


def a_gateway_stays_while_anything_has_a_public_address():
    network = vpc()
    attached = gateway(network)
    made = run(subnet(network))["InstanceId"]
    detach = lambda: ec2.detach_internet_gateway(InternetGatewayId=attached, VpcId=network)
    assert "mapped public address" in refused("DependencyViolation", detach)
    ec2.terminate_instances(InstanceIds=[made])
    in_state(made, "terminated")
    detach()


def a_route_goes_to_a_gateway_of_the_same_network():
    table = ec2.create_route_table(VpcId=vpc())["RouteTable"]["RouteTableId"]
    other = gateway(vpc())
    refused(
        "InvalidParameterValue", ec2.create_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=other
    )


def a_route_table_stays_while_a_subnet_uses_it():
    network = vpc()
    table = ec2.create_route_table(VpcId=network)["RouteTable"]["RouteTableId"]
    link = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet(network))["AssociationId"]
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=table)
    ec2.disassociate_route_table(AssociationId=link)
    ec2.delete_route_table(RouteTableId=table)


def long_lists_come_in_pages():
    networks = {ec2.create_vpc(CidrBlock=CIDR, TagSpecifications=tags("vpc", paged=name("x")))["Vpc"]["VpcId"] for _ in range(7)}
    ours = [{"Name": "tag:paged", "Values": [name("x")]}]
    eventually(lambda: ec2.describe_vpcs(Filters=ours)["Vpcs"], lambda found: len(found) == 7)
    first = ec2.describe_vpcs(Filters=ours, MaxResults=5)
    rest = ec2.describe_vpcs(Filters=ours, MaxResults=5, NextToken=first["NextToken"])
    assert len(first["Vpcs"]) == 5 and "NextToken" not in rest
    assert {one["VpcId"] for one in first["Vpcs"] + rest["Vpcs"]} == networks
    refused("InvalidParameterValue", ec2.describe_vpcs, MaxResults=1001)
    refused("InvalidParameterValue", ec2.describe_route_tables, MaxResults=101)
    refused("InvalidParameterCombination", ec2.describe_instances, MaxResults=10, InstanceIds=["i-1"])


def a_filter_on_a_tags_key_finds_what_bears_it():
    network = ec2.create_vpc(CidrBlock=CIDR, TagSpecifications=tags("vpc", **{name("key"): "v"}))["Vpc"]["VpcId"]
    eventually(lambda: ec2.describe_vpcs(VpcIds=[network]))
    place = ec2.create_subnet(VpcId=network, CidrBlock=CIDR, AvailabilityZone="us-east-1a", TagSpecifications=tags("subnet", **{name("key"): "v"}))
    place = place["Subnet"]["SubnetId"]
    own = ec2.create_security_group(
        GroupName="own", Description="own", VpcId=network, TagSpecifications=tags("security-group", **{name("key"): "v"})
    )["GroupId"]
    door = ec2.create_internet_gateway(TagSpecifications=tags("internet-gateway", **{name("key"): "v"}))
    door = door["InternetGateway"]["InternetGatewayId"]
    table = ec2.create_route_table(VpcId=network, TagSpecifications=tags("route-table", **{name("key"): "v"}))
    table = table["RouteTable"]["RouteTableId"]
    eventually(lambda: ec2.describe_subnets(SubnetIds=[place]))
    node = run(place, TagSpecifications=tags("instance", **{name("key"): "v"}))["InstanceId"]
    eventually(lambda: instance(node))
    ours = [{"Name": "tag-key", "Values": [name("key")]}]
    assert [one["VpcId"] for one in ec2.describe_vpcs(Filters=ours)["Vpcs"]] == [network]
    assert [one["SubnetId"] for one in ec2.describe_subnets(Filters=ours)["Subnets"]] == [place]
    assert [one["GroupId"] for one in ec2.describe_security_groups(Filters=ours)["SecurityGroups"]] == [own]
    doors = ec2.describe_internet_gateways(Filters=ours)["InternetGateways"]
    assert [one["InternetGatewayId"] for one in doors] == [door]
    assert [one["RouteTableId"] for one in ec2.describe_route_tables(Filters=ours)["RouteTables"]] == [table]
    found = ec2.describe_instances(Filters=ours)["Reservations"]
    assert [one["InstanceId"] for reservation in found for one in reservation["Instances"]] == [node]


def subnets_of_a_network_do_not_overlap():
    network = vpc()
    subnet(network)
    refused("InvalidSubnet.Conflict", subnet, network, "b")


def a_network_lies_where_the_sandbox_answers():
    message = refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock="10.10.0.0/16")
    assert "10.10.0.0/16" in message and CIDR in message, message
    # Wider than what it answers is too wide.
    refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock="127.0.0.0/8")
