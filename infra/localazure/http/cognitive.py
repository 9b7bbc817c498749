"""Handlers of Microsoft.CognitiveServices."""

from __future__ import annotations

from infra.localazure import accounts, bodies, catalogue, deployments, errors, groups, ids, placement, softdelete
from infra.localazure.entities import Account, Deployment, Json, Operation
from infra.localazure.http import versions, wire
from infra.localazure.http.call import Answer, Call


def _account(call: Call) -> Account:
    return accounts.get(call.world, call.params["subscription"], call.params["group"], call.params["account"])


# --- accounts ------------------------------------------------------------------------------------------------------


def put_account(call: Call) -> Answer:
    """Create, restore or replace an account; a create is a long-running operation."""
    p = call.params
    groups.require_registered(call.world, p["subscription"], "Microsoft.CognitiveServices")
    body = call.read(bodies.Account)
    made, operation = accounts.put(call.world, call.caller, p["subscription"], p["group"], p["account"], body)
    if operation is None:
        return Answer(200, wire.account(call.world, made))
    return Answer(201, wire.account(call.world, made), _follow(call, operation))


def patch_account(call: Call) -> Answer:
    """Change an account."""
    changed = accounts.patch(call.world, call.caller, _account(call), call.read(bodies.Account))
    return Answer(200, wire.account(call.world, changed))


def get_account(call: Call) -> Answer:
    """One account."""
    return Answer(body=wire.account(call.world, _account(call)))


def delete_account(call: Call) -> Answer:
    """Soft-delete an account; 204 where there is none."""
    p = call.params
    found = call.world.account(ids.key(ids.account_id(p["subscription"], p["group"], p["account"])))
    if found is None:
        return Answer(204)
    return _gone(call, found.id, found.location, softdelete.delete(call.world, call.caller, found))


def list_accounts_in_group(call: Call) -> Answer:
    """The accounts of a resource group."""
    groups.group(call.world, call.params["subscription"], call.params["group"])
    found = accounts.in_subscription(call.world, call.params["subscription"], call.params["group"])
    return Answer(body=wire.page([wire.account(call.world, a) for a in found]))


def list_accounts(call: Call) -> Answer:
    """The accounts of a subscription."""
    found = accounts.in_subscription(call.world, call.params["subscription"])
    return Answer(body=wire.page([wire.account(call.world, a) for a in found]))


def list_keys(call: Call) -> Answer:
    """The two keys."""
    key1, key2 = accounts.keys(_account(call))
    return Answer(body={"key1": key1, "key2": key2})


def regenerate_key(call: Call) -> Answer:
    """Replace one key."""
    name = call.read(bodies.RegenerateKey).key_name
    key1, key2 = accounts.regenerate_key(call.world, call.caller, _account(call), name)
    return Answer(body={"key1": key1, "key2": key2})


def list_account_models(call: Call) -> Answer:
    """The models that can be deployed in an account: the inner objects of its location's list."""
    found = _account(call)
    c = call.world.catalogue
    return Answer(body=wire.page([catalogue.model_wire(c, m, found.location) for m in c.models]))


def list_account_skus(call: Call) -> Answer:
    """The SKUs an account can have."""
    found = _account(call)
    return Answer(body={"value": [{"resourceType": ids.ACCOUNTS, "sku": {"name": found.sku["name"]}}]})


def list_account_usages(call: Call) -> Answer:
    """What an account uses."""
    found = _account(call)
    limits = call.world.catalogue.account_limits
    tuned = [d for d in call.world.deployments.of(ids.key(found.id)) if d.custom]
    usage = _usage(placement.TUNED_DEPLOYMENTS, len(tuned), limits["fineTunedDeployments"])
    return Answer(body=wire.page([usage]))


def check_domain(call: Call) -> Answer:
    """Whether a subdomain is free."""
    body = call.read(bodies.DomainCheck)
    subdomain = body.subdomain_name
    free = accounts.subdomain_free(call.world, subdomain)
    answer: Json = {"isSubdomainAvailable": free, "subdomainName": subdomain, "type": body.type}
    if not free:
        answer["reason"] = f"Sub domain name '{subdomain}' is already used. Please pick a different name."
    return Answer(body=answer)


# --- soft-deleted accounts -----------------------------------------------------------------------------------------


def list_deleted(call: Call) -> Answer:
    """The soft-deleted accounts of a subscription."""
    wanted = call.params["subscription"].lower()
    found = [a for a in call.world.accounts if a.deleted_at is not None and a.subscription == wanted]
    return Answer(body=wire.page([wire.deleted_account(call.world, a) for a in found]))


def get_deleted(call: Call) -> Answer:
    """One soft-deleted account."""
    p = call.params
    found = softdelete.get(call.world, p["subscription"], p["location"], p["group"], p["account"])
    return Answer(body=wire.deleted_account(call.world, found))


def purge(call: Call) -> Answer:
    """Purge a soft-deleted account; 204 where there is none."""
    p = call.params
    found = softdelete.find(call.world, p["subscription"], p["location"], p["group"], p["account"])
    if found is None:
        return Answer(204)
    return _gone(call, found.id, found.location, softdelete.purge(call.world, call.caller, found))


# --- deployments ---------------------------------------------------------------------------------------------------


def put_deployment(call: Call) -> Answer:
    """Create or change a deployment."""
    owner = _parent(call)
    body = versions.deployment(bodies.read_object(call.body), call.api_version)
    made, new = deployments.put(call.world, call.caller, owner, call.params["deployment"], body)
    return _written(call, owner, made, 201 if new else 200)


def patch_deployment(call: Call) -> Answer:
    """Change SKU or tags of a deployment; the versions up to 2023-05-01 cannot."""
    if call.api_version[:10] < versions.PATCH_SINCE:
        raise errors.WRONG_METHOD(method=call.method)
    owner = _account(call)
    found = deployments.get(call.world, owner, call.params["deployment"])
    changed = deployments.patch(call.world, call.caller, owner, found, call.read(bodies.DeploymentPatch))
    return _written(call, owner, changed, 202 if deployments.seconds_left(changed, call.now) else 200)


def get_deployment(call: Call) -> Answer:
    """One deployment."""
    owner = _account(call)
    found = deployments.get(call.world, owner, call.params["deployment"])
    return Answer(body=wire.deployment(call.world, owner, found, call.api_version))


def delete_deployment(call: Call) -> Answer:
    """Delete a deployment; 204 where there is none."""
    owner = _account(call)
    found = deployments.find(call.world, owner, call.params["deployment"])
    if found is None:
        return Answer(204)
    return _gone(call, found.id, owner.location, deployments.delete(call.world, call.caller, owner, found))


def list_deployments(call: Call) -> Answer:
    """The deployments of an account."""
    owner = _account(call)
    found = call.world.deployments.of(ids.key(owner.id))
    return Answer(body=wire.page([wire.deployment(call.world, owner, d, call.api_version) for d in found]))


# --- locations -----------------------------------------------------------------------------------------------------


def list_location_models(call: Call) -> Answer:
    """What can be deployed in a region: one item per model and account kind."""
    c = call.world.catalogue
    region = _region(call)
    spelled = c.regions[region][0].replace(" ", "")
    base = f"/subscriptions/{call.params['subscription']}/providers/Microsoft.CognitiveServices/locations/{spelled}"
    items = []
    for kind in ("OpenAI", "AIServices"):
        for model in c.models:
            name = f"OpenAI.{model.name}.{model.version}"
            items.append(
                {
                    "id": f"{base}/models/{name}",
                    "type": "Microsoft.CognitiveServices/locations/models",
                    "name": name,
                    "location": spelled,
                    "kind": kind,
                    "skuName": "S0",
                    "model": catalogue.model_wire(c, model, region),
                }
            )
    return Answer(body=wire.page(items))


def list_location_usages(call: Call) -> Answer:
    """Quotas of a subscription in a region, and how much of them is used."""
    world, region = call.world, _region(call)
    subscription = call.params["subscription"].lower()
    used = placement.usage(world, subscription, region)
    standing = [a for a in world.accounts.of(f"{subscription}/{region}") if a.deleted_at is None]
    names = {s.usage for m in world.catalogue.models for s in world.catalogue.skus(m, region)}
    items = [
        _usage(
            f"{kind}.S0.AccountCount",
            sum(a.kind == kind for a in standing),
            world.catalogue.limit(f"{kind}.S0.AccountCount"),
        )
        for kind in ("OpenAI", "AIServices")
    ]
    items += [
        _usage(name, used.get(name, 0), world.catalogue.limit(name))
        for name in sorted({placement.TUNED_DEPLOYMENTS, *names})
    ]
    return Answer(body=wire.page(items))


def get_operation(call: Call) -> Answer:
    """How a long-running operation stands."""
    found = call.world.operations.get(call.params["operation"])
    if found is None or found.subscription != call.params["subscription"].lower():
        raise errors.NO_SUCH_ROUTE(path=call.path)
    body: Json = {
        "id": call.path,
        "name": found.id,
        "status": "InProgress",
        "startTime": wire.moment(found.started),
    }
    if call.now >= found.done_at:
        body |= {"status": "Succeeded", "endTime": wire.moment(found.done_at)}
        if found.failed_code:
            body["status"] = "Failed"
            body["error"] = {"code": found.failed_code, "message": found.failed_message}
    return Answer(body=body)


def _parent(call: Call) -> Account:
    """The account that a child is written to; without one the child's write is refused in words of its own."""
    p = call.params
    groups.group(call.world, p["subscription"], p["group"])
    found = call.world.account(ids.key(ids.account_id(p["subscription"], p["group"], p["account"])))
    if found is None:
        raise errors.NO_PARENT(verb="write", type=ids.DEPLOYMENTS, parent=f"accounts/{p['account']}")
    return found


def _written(call: Call, owner: Account, made: Deployment, status: int) -> Answer:
    """A deployment as a write leaves it; one that takes its time names the operation to follow."""
    seconds = deployments.seconds_left(made, call.now)
    headers = _follow(call, call.world.start_operation(made.id, owner.location, seconds)) if seconds else {}
    return Answer(status, wire.deployment(call.world, owner, made, call.api_version), headers)


def _gone(call: Call, resource_id: str, location: str, seconds: float) -> Answer:
    """The empty answer to a delete; one that takes its time names the operation to follow."""
    if not seconds:
        return Answer(200)
    return Answer(202, headers=_follow(call, call.world.start_operation(resource_id, location, seconds)))


def _region(call: Call) -> str:
    region = call.world.catalogue.region(call.params["location"])
    if region is None:
        raise errors.BAD_LOCATION(
            location=call.params["location"], type=ids.ACCOUNTS, regions=",".join(call.world.catalogue.regions)
        )
    return region


def _usage(name: str, current: int, limit: int) -> Json:
    return {
        "name": {"value": name, "localizedValue": name},
        "currentValue": current,
        "limit": limit,
        "unit": "Count",
    }


def _follow(call: Call, operation: Operation) -> dict[str, str]:
    """The header that tells where to ask how an operation stands."""
    path = (
        f"/subscriptions/{operation.subscription}/providers/Microsoft.CognitiveServices/locations/"
        f"{operation.location}/operationResults/{operation.id}?api-version={call.api_version}"
    )
    return {"azure-asyncoperation": call.url(path)}
