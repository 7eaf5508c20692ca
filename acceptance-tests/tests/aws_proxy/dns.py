"""Route 53."""

from cloud import *

ZONE = route53.list_hosted_zones_by_name(DNSName="inferadb.com")["HostedZones"][0]["Id"]


def _check(**more):
    config = {
        "Type": "HTTPS",
        "FullyQualifiedDomainName": "api.inferadb.com",
        "Port": 443,
        "ResourcePath": "/healthz",
        "RequestInterval": 10,
        "FailureThreshold": 3,
    } | more
    made = route53.create_health_check(CallerReference=name("check"), HealthCheckConfig=config)
    return made["HealthCheck"]["Id"]


def _change(action, **more):
    record = {
        "Name": f"{name('api')}.inferadb.com",
        "Type": "A",
        "TTL": 60,
        "SetIdentifier": "nyc1",
        "Failover": "PRIMARY",
        "ResourceRecords": [{"Value": "192.0.2.1"}],
    } | more
    record = {key: value for key, value in record.items() if value is not None}
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    return route53.change_resource_record_sets(HostedZoneId=ZONE, ChangeBatch=batch)["ChangeInfo"]


def _records():
    found = route53.list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
    return [(one["Type"], one["SetIdentifier"]) for one in found if one["Name"].startswith(name("api") + ".")]


def a_caller_reference_gives_the_same_health_check():
    assert _check() == _check()
    refused("HealthCheckAlreadyExists", _check, FailureThreshold=4)


def a_caller_reference_is_never_used_again():
    made = _check()
    route53.delete_health_check(HealthCheckId=made)
    refused("HealthCheckAlreadyExists", _check)


def a_health_check_asks_every_ten_or_thirty_seconds():
    refused("InvalidInput", _check, RequestInterval=20)


def a_change_is_pending_first():
    made = _change("CREATE")
    assert made["Status"] == "PENDING"
    eventually(lambda: route53.get_change(Id=made["Id"])["ChangeInfo"]["Status"], lambda status: status == "INSYNC")


def a_record_is_created_once():
    _change("CREATE")
    assert "already exists" in refused("InvalidChangeBatch", _change, "CREATE")
    _change("UPSERT", TTL=30)


def a_record_is_deleted_only_as_it_stands():
    _change("CREATE")
    assert "not found" in refused("InvalidChangeBatch", _change, "DELETE", SetIdentifier="sfo1")
    assert "do not match" in refused("InvalidChangeBatch", _change, "DELETE", TTL=30)
    _change("DELETE")
    assert _records() == []


def deleting_one_record_leaves_others_of_the_same_set():
    _change("CREATE")
    _change("CREATE", Type="AAAA", ResourceRecords=[{"Value": "2001:db8::1"}])
    _change("DELETE")
    assert _records() == [("AAAA", "nyc1")]


def there_is_one_primary():
    _change("CREATE")
    refused("InvalidChangeBatch", _change, "CREATE", SetIdentifier="sfo1")
    _change("CREATE", SetIdentifier="sfo1", Failover="SECONDARY")


def a_simple_record_stands_alone():
    _change("CREATE")
    refused("InvalidChangeBatch", _change, "CREATE", SetIdentifier=None, Failover=None)


def an_alias_names_the_zone_of_its_load_balancer():
    network = vpc()
    gateway(network)
    made = balancer(name("alias"), [subnet(network)])
    alias = {"DNSName": made["DNSName"], "EvaluateTargetHealth": True, "HostedZoneId": "Z18D5FSROUN65G"}
    refused("InvalidChangeBatch", _change, "CREATE", TTL=None, ResourceRecords=None, AliasTarget=alias)
    alias["HostedZoneId"] = made["CanonicalHostedZoneId"]
    _change("CREATE", TTL=None, ResourceRecords=None, AliasTarget=alias)


def a_health_check_that_is_not_there_is_refused():
    missing = "00000000-0000-0000-0000-000000000000"
    refused("InvalidChangeBatch", _change, "CREATE", HealthCheckId=missing)


def a_health_check_has_ten_tags():
    made = _check()

    def tag(count, **more):
        added = [{"Key": f"key-{number}", "Value": "x"} for number in range(count)]
        wanted = {"ResourceType": "healthcheck", "ResourceId": made, "AddTags": added} | more
        return route53.change_tags_for_resource(**wanted)

    refused("InvalidInput", tag, 11)
    tag(10)
    refused("InvalidInput", tag, 1, AddTags=[{"Key": "another", "Value": "x"}])
    route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=made, RemoveTagKeys=["key-0"])
    tag(1, AddTags=[{"Key": "another", "Value": "x"}])
