"""Network load balancers, target groups, health."""

import socket
import threading

from cloud import *


def _network():
    network = vpc()
    gateway(network)
    return network


def _serve(address, port=6443):
    """Greets whoever connects."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen()

    def greet():
        while True:
            try:
                connection, _ = server.accept()
                connection.sendall(b"hello")
                connection.close()
            except OSError:
                return

    threading.Thread(target=greet, daemon=True).start()
    return server


def _greeting(address, source=None, port=6443):
    """What a connection is told; empty if it is cut off."""
    source = (source, 0) if source else None
    with socket.create_connection((address, port), timeout=1, source_address=source) as connection:
        try:
            return connection.recv(5)
        except TimeoutError:
            return b""


def _stand(open_nodes=True):
    """Load balancer, target group and a running instance whose node serves; with groups that let traffic through."""
    network = _network()
    place = subnet(network)
    outer, nodes = group(network, "outer"), group(network, "nodes")
    admit(outer, 6443)
    if open_nodes:
        admit(nodes, 6443)
    made = balancer(name("stand"), [place], [outer])
    targets = target_group(name("stand"), network)
    listener(made["LoadBalancerArn"], targets)
    node = running(place, [nodes])
    elb.register_targets(TargetGroupArn=targets, Targets=[{"Id": node["InstanceId"]}])
    server = _serve(node["PrivateIpAddress"])
    return made, targets, node, nodes, server


def names_have_thirty_two_letters_digits_and_hyphens():
    network = _network()
    place = subnet(network)
    for wrong in ["x" * 33, "-x", "x-", "a_b", "internal-x"]:
        refused("ValidationError", balancer, wrong, [place])
    for wrong in ["x" * 33, "-x", "x-", "a_b"]:
        refused("ValidationError", target_group, wrong, network)


def the_same_load_balancer_again_is_the_same():
    place = subnet(_network())
    made = balancer(name("twice"), [place])
    assert balancer(name("twice"), [place])["LoadBalancerArn"] == made["LoadBalancerArn"]
    refused("DuplicateLoadBalancerName", balancer, name("twice"), [place], Scheme="internal")


def the_same_target_group_again_is_the_same():
    network = _network()
    assert target_group(name("twice"), network) == target_group(name("twice"), network)
    refused("DuplicateTargetGroupName", target_group, name("twice"), network, 6444)


def the_same_listener_again_is_the_same():
    network = _network()
    made = balancer(name("ports"), [subnet(network)])["LoadBalancerArn"]
    one, two = target_group(name("one"), network), target_group(name("two"), network)
    assert listener(made, one) == listener(made, one)
    refused("DuplicateListener", listener, made, two)


def a_target_group_serves_one_load_balancer():
    network = _network()
    place = subnet(network)
    first = balancer(name("first"), [place])["LoadBalancerArn"]
    second = balancer(name("second"), [place])["LoadBalancerArn"]
    targets = target_group(name("one"), network)
    listener(first, targets)
    refused("TargetGroupAssociationLimit", listener, second, targets)


def a_public_load_balancer_needs_a_gateway():
    refused("InvalidSubnet", balancer, name("none"), [subnet(vpc())])


def a_load_balancer_has_one_subnet_in_a_zone():
    network = _network()
    places = [subnet(network), subnet(network, offset=1)]
    refused("InvalidConfigurationRequest", balancer, name("zones"), places)


def a_load_balancer_shows_and_is_active_after_a_while():
    made = balancer(name("slow"), [subnet(_network())])
    arn = made["LoadBalancerArn"]
    assert made["State"]["Code"] == "provisioning" and ":loadbalancer/net/" in arn
    refused("LoadBalancerNotFound", elb.describe_load_balancers, LoadBalancerArns=[arn])
    refused("LoadBalancerNotFound", elb.describe_load_balancers, Names=[name("slow")])
    state = lambda: elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["State"]["Code"]
    eventually(state, lambda found: found == "active")


def security_groups_come_with_the_load_balancer_or_never():
    network = _network()
    place, one, two = subnet(network), group(network, "one"), group(network, "two")
    bare = balancer(name("bare"), [place])["LoadBalancerArn"]
    refused("InvalidConfigurationRequest", elb.set_security_groups, LoadBalancerArn=bare, SecurityGroups=[one])
    made = balancer(name("made"), [place], [one])["LoadBalancerArn"]
    elb.set_security_groups(LoadBalancerArn=made, SecurityGroups=[two])
    found = eventually(lambda: elb.describe_load_balancers(LoadBalancerArns=[made])["LoadBalancers"][0])
    assert found["SecurityGroups"] == [two]


def a_deleted_load_balancer_leaves_interfaces_for_a_while():
    network = _network()
    place, own = subnet(network), group(network)
    made = balancer(name("gone"), [place], [own])["LoadBalancerArn"]
    elb.delete_load_balancer(LoadBalancerArn=made)
    in_network = [{"Name": "vpc-id", "Values": [network]}]
    left = ec2.describe_network_interfaces(Filters=in_network)["NetworkInterfaces"]
    assert [one["Description"] for one in left] == ["ELB " + made.split(":loadbalancer/")[1]]
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=place)
    refused("DependencyViolation", ec2.delete_security_group, GroupId=own)
    eventually(lambda: ec2.delete_security_group(GroupId=own))
    ec2.delete_subnet(SubnetId=place)
    elb.delete_load_balancer(LoadBalancerArn=made)


def a_target_group_in_use_stays():
    network = _network()
    made = balancer(name("use"), [subnet(network)])["LoadBalancerArn"]
    targets = target_group(name("use"), network)
    listening = listener(made, targets)
    refused("ResourceInUse", elb.delete_target_group, TargetGroupArn=targets)
    elb.delete_listener(ListenerArn=listening)
    elb.delete_target_group(TargetGroupArn=targets)


def a_protected_load_balancer_stays():
    made = balancer(name("kept"), [subnet(_network())])["LoadBalancerArn"]
    protect = lambda value: elb.modify_load_balancer_attributes(
        LoadBalancerArn=made, Attributes=[{"Key": "deletion_protection.enabled", "Value": value}]
    )
    protect("true")
    refused("OperationNotPermitted", elb.delete_load_balancer, LoadBalancerArn=made)
    protect("false")
    elb.delete_load_balancer(LoadBalancerArn=made)


def unknown_attributes_are_refused():
    network = _network()
    made = balancer(name("attrs"), [subnet(network)])["LoadBalancerArn"]
    odd = [{"Key": "idle_timeout.timeout_seconds", "Value": "60"}]
    refused("ValidationError", elb.modify_load_balancer_attributes, LoadBalancerArn=made, Attributes=odd)
    targets = target_group(name("attrs"), network)
    odd = [{"Key": "preserve_client_ip.enabled", "Value": "no"}]
    refused("ValidationError", elb.modify_target_group_attributes, TargetGroupArn=targets, Attributes=odd)


def client_addresses_are_kept_unless_told_otherwise():
    targets = target_group(name("keep"), vpc())
    read = lambda: {
        one["Key"]: one["Value"]
        for one in eventually(lambda: elb.describe_target_group_attributes(TargetGroupArn=targets))["Attributes"]
    }["preserve_client_ip.enabled"]
    assert read() == "true"
    off = [{"Key": "preserve_client_ip.enabled", "Value": "false"}]
    elb.modify_target_group_attributes(TargetGroupArn=targets, Attributes=off)
    assert read() == "false"


def thresholds_have_limits():
    refused("ValidationError", target_group, name("limits"), vpc(), HealthyThresholdCount=1)
    refused("ValidationError", target_group, name("limits"), vpc(), HealthCheckIntervalSeconds=4)


def only_running_instances_are_registered():
    network = _network()
    targets = target_group(name("running"), network)
    node = run(subnet(network))["InstanceId"]
    register = lambda target: elb.register_targets(TargetGroupArn=targets, Targets=[{"Id": target}])
    refused("InvalidTarget", register, node)
    in_state(node, "running")
    register(node)
    refused("InvalidTarget", register, "i-0123456789abcdef0")
    refused("InvalidTarget", register, running(subnet(vpc()))["InstanceId"])


def lists_come_in_pages():
    network = vpc()
    made = {target_group(name(kind), network) for kind in ["page-a", "page-b", "page-c"]}
    eventually(lambda: elb.describe_target_groups(TargetGroupArns=list(made)))
    found, more = set(), {}
    while more is not None:
        page = elb.describe_target_groups(PageSize=1, **more)
        assert len(page["TargetGroups"]) <= 1
        found |= {one["TargetGroupArn"] for one in page["TargetGroups"]}
        more = {"Marker": page["NextMarker"]} if "NextMarker" in page else None
    assert made <= found
    refused("ValidationError", elb.describe_target_groups, PageSize=401)


def health_is_what_the_check_finds():
    network = _network()
    place = subnet(network)
    open_to_all = group(network)
    admit(open_to_all, 6443)
    targets = target_group(name("health"), network)
    node = running(place, [open_to_all])
    elb.register_targets(TargetGroupArn=targets, Targets=[{"Id": node["InstanceId"]}])
    assert health(targets)["Reason"] == "Target.NotInUse"
    made = balancer(name("health"), [place])
    listener(made["LoadBalancerArn"], targets)
    assert health(targets)["State"] == "initial"
    eventually(lambda: health(targets), lambda found: found["State"] == "unhealthy")
    server = _serve(node["PrivateIpAddress"])
    eventually(lambda: health(targets), lambda found: found["State"] == "healthy")
    assert _greeting(made["DNSName"]) == b"hello"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    eventually(lambda: health(targets), lambda found: found["State"] == "unhealthy")


def a_deregistered_target_drains_and_goes():
    _, targets, node, _, _ = _stand()
    elb.deregister_targets(TargetGroupArn=targets, Targets=[{"Id": node["InstanceId"]}])
    assert health(targets)["State"] == "draining"
    eventually(lambda: health(targets), lambda found: found is None)
    elb.deregister_targets(TargetGroupArn=targets, Targets=[{"Id": node["InstanceId"]}])
    asked = elb.describe_target_health(TargetGroupArn=targets, Targets=[{"Id": node["InstanceId"]}])
    assert asked["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"] == "Target.NotRegistered"


def a_terminated_target_goes():
    _, targets, node, _, _ = _stand()
    ec2.terminate_instances(InstanceIds=[node["InstanceId"]])
    eventually(lambda: health(targets), lambda found: found is None)


def a_node_does_not_reach_itself_while_client_addresses_are_kept():
    made, targets, node, _, _ = _stand()
    eventually(lambda: health(targets), lambda found: found["State"] == "healthy")
    itself = node["PrivateIpAddress"]
    assert _greeting(made["DNSName"]) == b"hello"
    assert _greeting(made["DNSName"], source=itself) == b""
    off = [{"Key": "preserve_client_ip.enabled", "Value": "false"}]
    elb.modify_target_group_attributes(TargetGroupArn=targets, Attributes=off)
    assert _greeting(made["DNSName"], source=itself) == b"hello"


def closed_security_groups_keep_a_target_unhealthy():
    made, targets, _, nodes, _ = _stand(open_nodes=False)
    eventually(lambda: health(targets), lambda found: found["State"] == "unhealthy")
    assert _greeting(made["DNSName"]) == b""
    pair = {"GroupId": made["SecurityGroups"][0]}
    rule = {"IpProtocol": "tcp", "FromPort": 6443, "ToPort": 6443, "UserIdGroupPairs": [pair]}
    ec2.authorize_security_group_ingress(GroupId=nodes, IpPermissions=[rule])
    eventually(lambda: health(targets), lambda found: found["State"] == "healthy")
    assert _greeting(made["DNSName"]) == b"hello"


def a_load_balancers_own_group_keeps_clients_out():
    made, targets, _, _, _ = _stand()
    eventually(lambda: health(targets), lambda found: found["State"] == "healthy")
    assert _greeting(made["DNSName"]) == b"hello"
    outer = made["SecurityGroups"][0]
    world = {"IpProtocol": "tcp", "FromPort": 6443, "ToPort": 6443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_ingress(GroupId=outer, IpPermissions=[world])
    assert _greeting(made["DNSName"]) == b""


def a_constrained_zone_takes_no_load_balancer():
    network = vpc()
    gateway(network)
    refused("AvailabilityZoneNotSupported", balancer, name("lb"), [subnet(network, "e")])


def tags_have_the_characters_that_load_balancing_takes():
    def tagged(value):
        return target_group(name("tg"), vpc(), Tags=[{"Key": "k", "Value": value}])

    refused("ValidationError", tagged, "a,b")
    tagged("Zürich: a/b=c+d-e@f_g.h")
    refused("ValidationError", iam.create_role, RoleName=name("role"), AssumeRolePolicyDocument="{}", Tags=[{"Key": "k#", "Value": ""}])
