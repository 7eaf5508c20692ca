"""Clients of the sandbox's cloud, and short words for what the cases do with them."""

import os
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

#: No retries and no checks of its own: a case sees the cloud's first answer.
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=20, parameter_validation=False)
#: Tells cases that run at once apart.
PLACE = int(os.environ.get("CASE_PLACE", "0"))
CIDR = os.environ["SANDBOX_NETWORK"]
TALOS = "540036508848"


def client(service, region="us-east-1", **more):
    return boto3.client(service, region_name=region, config=ONCE, **more)


class Lazy:
    """A client that is made when it is first used: reading a service's model takes long."""

    def __init__(self, *args):
        self.args = args

    def __getattr__(self, attribute):
        made = client(*self.args)
        self.__class__, self.__dict__ = made.__class__, made.__dict__
        return getattr(made, attribute)


ec2 = Lazy("ec2")
elb = Lazy("elbv2")
iam = Lazy("iam")
route53 = Lazy("route53")
s3 = Lazy("s3")
s3_west = Lazy("s3", "us-west-1")


def refused(code, call, *args, **kwargs):
    """The call is refused with this code (`None`: with any); returns the message."""
    try:
        answer = call(*args, **kwargs)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert code in (None, found), f"refused with {error}, not {code}"
        return error.response["Error"]["Message"]
    raise AssertionError(f"not refused with {code}: {answer}")


def eventually(call, wanted=bool, within=10):
    """The first answer that is wanted; refusals count as not yet."""
    end = time.monotonic() + within
    while True:
        try:
            answer = call()
            if wanted(answer):
                return answer
        except ClientError as error:
            answer = error
        assert time.monotonic() < end, f"still {answer} after {within} s"
        time.sleep(0.02)


def tags(kind, **pairs):
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()]}]


def vpc():
    made = ec2.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
    eventually(lambda: ec2.describe_vpcs(VpcIds=[made]))
    return made


def subnet(vpc_id, zone="a", offset=0):
    """One of the case's own four ranges of 64 addresses."""
    first, second, _, _ = CIDR.split("/")[0].split(".")
    block = f"{first}.{second}.{PLACE}.{offset * 64}/26"
    made = ec2.create_subnet(VpcId=vpc_id, CidrBlock=block, AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
    eventually(lambda: ec2.describe_subnets(SubnetIds=[made]))
    return made


def gateway(vpc_id):
    made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc_id)
    return made


def group(vpc_id, name="nodes"):
    return ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc_id)["GroupId"]


def admit(group_id, port, cidr="0.0.0.0/0"):
    permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])


def image(owner=TALOS, name="talos-v1.13.9-us-east-1-amd64"):
    found = ec2.describe_images(Owners=[owner], Filters=[{"Name": "name", "Values": [name]}])["Images"]
    return found[0]["ImageId"]


def run(subnet_id, groups=(), token=None, **more):
    interface = {"DeviceIndex": 0, "SubnetId": subnet_id, "Groups": list(groups), "AssociatePublicIpAddress": True}
    wanted = {
        "ImageId": image(),
        "InstanceType": "m6i.large",
        "MinCount": 1,
        "MaxCount": 1,
        "NetworkInterfaces": [interface],
    }
    if token:
        wanted["ClientToken"] = token
    return ec2.run_instances(**(wanted | more))["Instances"][0]


def instance(instance_id):
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def in_state(instance_id, state):
    return eventually(lambda: instance(instance_id), lambda found: found["State"]["Name"] == state)


def running(subnet_id, groups=(), **more):
    return in_state(run(subnet_id, groups, **more)["InstanceId"], "running")


def balancer(name, subnets, groups=(), **more):
    wanted = {"Name": name, "Type": "network", "Subnets": subnets} | more
    if groups:
        wanted["SecurityGroups"] = list(groups)
    return elb.create_load_balancer(**wanted)["LoadBalancers"][0]


def target_group(name, vpc_id, port=6443, **more):
    wanted = {
        "Name": name,
        "Protocol": "TCP",
        "Port": port,
        "VpcId": vpc_id,
        "TargetType": "instance",
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
    } | more
    return elb.create_target_group(**wanted)["TargetGroups"][0]["TargetGroupArn"]


def listener(balancer_arn, group_arn, port=6443):
    action = {"Type": "forward", "TargetGroupArn": group_arn}
    made = elb.create_listener(LoadBalancerArn=balancer_arn, Protocol="TCP", Port=port, DefaultActions=[action])
    return made["Listeners"][0]["ListenerArn"]


def health(group_arn):
    found = elb.describe_target_health(TargetGroupArn=group_arn)["TargetHealthDescriptions"]
    return found[0]["TargetHealth"] if found else None


def name(kind):
    """A name that no other case has."""
    return f"{kind}-{PLACE}"
