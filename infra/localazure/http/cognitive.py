"""Handlers of Microsoft.CognitiveServices."""

from __future__ import annotations

import re

from infra.localazure import (
    accounts,
    bodies,
    catalogue,
    deployments,
    errors,
    groups,
    ids,
    placement,
    quotas,
    roles,
    softdelete,
)
from infra.localazure.entities import Account, Deployment, Json, Operation
from infra.localazure.http import etags, paging, versions, wire
from infra.localazure.http.call import Answer, Call

_NAMESPACE = "Microsoft.CognitiveServices"
_NAMED = re.compile(r"name\.value\s+eq\s+'(?P<name>[^']*)'", re.IGNORECASE)
_MODEL_CHECKS = ("modelFormat", "modelName", "modelVersion")
_RESULT = "resource"
"""What the address in a Location header asks for: the resource itself once the operation is over."""


def _account(call: Call) -> Account:
    return accounts.get(call.world, call.params["subscription"], call.params["group"], call.params["account"])


# --- accounts ------------------------------------------------------------------------------------------------------


def put_account(call: Call) -> Answer:
    """Create, restore or replace an account; a create is a long-running operation."""
    p = call.params
    groups.require_registered(call.world, p["subscription"], _NAMESPACE)
    existing = call.world.account(ids.key(ids.account_id(p["subscription"], p["group"], p["account"])))
    etags.require(call, wire.account_etag(existing) if existing is not None else None)
    body = versions.account(bodies.read_object(call.body), call.api_version)
    made, operation = accounts.put(call.world, call.caller, p["subscription"], p["group"], p["account"], body)
    return _account_written(call, made, operation, 201 if existing is None else 202)


def patch_account(call: Call) -> Answer:
    """Change an account."""
    found = _account(call)
    groups.require_registered(call.world, found.subscription, _NAMESPACE)
    etags.require(call, wire.account_etag(found))
    body = versions.account(bodies.read_object(call.body), call.api_version)
    return _account_written(call, *accounts.patch(call.world, call.caller, found, body), 202)


def _account_written(call: Call, made: Account, operation: Operation | None, status: int) -> Answer:
    """An account as a write leaves it; one that takes its time answers with `status` and where to follow."""
    body = wire.account(call.world, made, call.api_version)
    return Answer(200, body) if operation is None else Answer(status, body, _follow(call, operation))


def get_account(call: Call) -> Answer:
    """One account."""
    return Answer(body=wire.account(call.world, _account(call), call.api_version))


def delete_account(call: Call) -> Answer:
    """Soft-delete an account; 204 where there is none."""
    p = call.params
    found = call.world.account(ids.key(ids.account_id(p["subscription"], p["group"], p["account"])))
    if found is None:
        return Answer(204)
    etags.require(call, wire.account_etag(found))
    return _gone(call, found.id, found.location, softdelete.delete(call.world, call.caller, found))


def list_accounts_in_group(call: Call) -> Answer:
    """The accounts of a resource group."""
    groups.group(call.world, call.params["subscription"], call.params["group"])
    return _accounts(call, accounts.in_subscription(call.world, call.params["subscription"], call.params["group"]))


def list_accounts(call: Call) -> Answer:
    """The accounts of a subscription."""
    return _accounts(call, accounts.in_subscription(call.world, call.params["subscription"]))


def _accounts(call: Call, found: list[Account]) -> Answer:
    return paging.page(call, found, lambda a: wire.account(call.world, a, call.api_version))


def list_keys(call: Call) -> Answer:
    """The two keys."""
    found = _account(call)
    key1, key2 = accounts.keys(found)
    call.world.record(f"{ids.ACCOUNTS}/listKeys/action", found.id, call.caller)
    return Answer(body={"key1": key1, "key2": key2})


def regenerate_key(call: Call) -> Answer:
    """Replace one key."""
    name = call.read(bodies.RegenerateKey).key_name
    key1, key2 = accounts.regenerate_key(call.world, call.caller, _account(call), name)
    return Answer(body={"key1": key1, "key2": key2})


def list_account_models(call: Call) -> Answer:
    """The models that can be deployed in an account: the inner objects of its location's list."""
    found, c = _account(call), call.world.catalogue

    def write(model: catalogue.Model) -> Json:
        return catalogue.model_wire(c, model, found.location)

    return paging.page(call, c.models, write, key=_full_name, size=paging.CATALOGUE_PAGE)


def list_account_skus(call: Call) -> Answer:
    """The SKUs an account can have."""
    _account(call)
    return Answer(body={"value": [{"resourceType": ids.ACCOUNTS, "sku": {"name": accounts.SKU, "tier": "Standard"}}]})


def list_account_usages(call: Call) -> Answer:
    """What an account uses; `$filter` takes name.value eq '…', joined by `or`."""
    found = _account(call)
    limit = quotas.limit(call.world, found.subscription, found.location, quotas.TUNED_PER_ACCOUNT)
    tuned = [d for d in call.world.deployments.of(ids.key(found.id)) if d.custom]
    items = [_usage(call, catalogue.TUNED_DEPLOYMENTS, len(tuned), limit)]
    return Answer(body={"value": _named(call, items)})


def list_skus(call: Call) -> Answer:
    """The SKUs of accounts that a subscription can have, by kind and region."""
    c = call.world.catalogue
    items = [
        {
            "resourceType": "accounts",
            "name": accounts.SKU,
            "tier": "Standard",
            "kind": kind,
            "locations": [region.upper()],
            "restrictions": [],
        }
        for kind in accounts.KINDS
        for region in c.regions
    ]

    def key(item: Json) -> str:
        return f"{item['kind']}/{item['locations'][0]}"

    return paging.page(call, items, dict, key=key, size=paging.CATALOGUE_PAGE)


def check_skus(call: Call) -> Answer:
    """Whether an account of a kind can have a SKU in a region."""
    _region(call)
    body = call.read(bodies.SkuCheck)
    kind = next((k for k in accounts.KINDS if k.lower() == body.kind.lower()), None)
    items = []
    for sku in body.skus:
        there = kind is not None and sku.upper() == accounts.SKU and body.type.lower() == ids.ACCOUNTS.lower()
        item: Json = {"kind": body.kind, "type": body.type, "skuName": sku, "skuAvailable": there}
        if not there:
            item |= {
                "reason": "NotAvailableForSubscription",
                "message": f"SKU '{sku}' of kind '{body.kind}' is not available.",
            }
        items.append(item)
    return Answer(body={"value": items})


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
    return paging.page(call, found, lambda a: wire.deleted_account(call.world, a, call.api_version))


def get_deleted(call: Call) -> Answer:
    """One soft-deleted account."""
    p = call.params
    found = softdelete.get(call.world, p["subscription"], p["location"], p["group"], p["account"])
    return Answer(body=wire.deleted_account(call.world, found, call.api_version))


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
    existing = deployments.find(call.world, owner, call.params["deployment"])
    etags.require(call, wire.deployment_etag(existing) if existing is not None else None)
    body = versions.deployment(bodies.read_object(call.body), call.api_version)
    made, new = deployments.put(call.world, call.caller, owner, call.params["deployment"], body)
    return _written(call, owner, made, 201 if new else 200)


def patch_deployment(call: Call) -> Answer:
    """Change SKU or tags of a deployment; the versions up to 2023-05-01 cannot."""
    if call.api_version[:10] < versions.PATCH_SINCE:
        raise errors.WRONG_METHOD(method=call.method)
    owner = _account(call)
    groups.require_registered(call.world, owner.subscription, _NAMESPACE)
    found = deployments.get(call.world, owner, call.params["deployment"])
    etags.require(call, wire.deployment_etag(found))
    changed = deployments.patch(call.world, call.caller, owner, found, call.read(bodies.DeploymentPatch))
    answer = _written(call, owner, changed, 200)
    return Answer(202, headers=answer.headers) if deployments.seconds_left(changed, call.now) else answer


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
    etags.require(call, wire.deployment_etag(found))
    return _gone(call, found.id, owner.location, deployments.delete(call.world, call.caller, owner, found))


def list_deployments(call: Call) -> Answer:
    """The deployments of an account."""
    owner = _account(call)
    found = call.world.deployments.of(ids.key(owner.id))
    return paging.page(call, found, lambda d: wire.deployment(call.world, owner, d, call.api_version))


def list_deployment_skus(call: Call) -> Answer:
    """The SKUs that a deployment can have, with the capacities of each."""
    if call.api_version[:10] < versions.PATCH_SINCE:
        raise errors.NO_SUCH_ROUTE(path=call.path)
    owner = _account(call)
    found = deployments.get(call.world, owner, call.params["deployment"])
    base = placement.model_of(call.world, found)
    offered = call.world.catalogue.skus(base, owner.location) if base is not None else []
    items = [
        {
            "resourceType": ids.DEPLOYMENTS,
            "sku": {"name": sku.name, "capacity": found.capacity if sku.name == found.sku_name else sku.default},
            "capacity": {"minimum": sku.minimum, "maximum": sku.maximum, "step": sku.step, "default": sku.default},
        }
        for sku in offered
        if sku.tuned == found.custom
    ]
    return paging.page(call, items, dict, key=lambda item: str(item["sku"]), size=paging.CATALOGUE_PAGE)


def pause_deployment(call: Call) -> Answer:
    """Let a deployment refuse calls until it is resumed."""
    return _set_paused(call, paused=True)


def resume_deployment(call: Call) -> Answer:
    """Let a paused deployment answer again."""
    return _set_paused(call, paused=False)


def _set_paused(call: Call, *, paused: bool) -> Answer:
    if not versions.can_pause(call.api_version):
        raise errors.NO_SUCH_ROUTE(path=call.path)
    owner = _account(call)
    found = deployments.get(call.world, owner, call.params["deployment"])
    deployments.require_quiet(call.world, owner)
    changed = deployments.set_paused(call.world, call.caller, found, paused=paused)
    return Answer(body=wire.deployment(call.world, owner, changed, call.api_version))


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
    return paging.page(call, items, dict, key=lambda i: f"{i['kind']}/{i['name']}", size=paging.CATALOGUE_PAGE)


def list_location_usages(call: Call) -> Answer:
    """Quotas of a subscription in a region, and how much of them is used; `$filter` as in an account's."""
    world, region = call.world, _region(call)
    subscription = call.params["subscription"].lower()
    used = placement.usage(world, subscription, region)
    standing = [a for a in world.accounts.of(f"{subscription}/{region}") if a.deleted_at is None]
    used["AccountCount"] = len(standing)
    for kind in ("OpenAI", "AIServices"):
        used[f"{kind}.S0.AccountCount"] = sum(a.kind == kind for a in standing)
    names = {s.usage for m in world.catalogue.models for s in world.catalogue.skus(m, region)}
    counts = ["OpenAI.S0.AccountCount", "AIServices.S0.AccountCount", "AccountCount"]
    items = [
        _usage(call, name, used.get(name, 0), quotas.limit(world, subscription, region, name))
        for name in (*counts, *sorted({catalogue.TUNED_DEPLOYMENTS, *names}))
    ]
    return paging.page(
        call, _named(call, items), dict, key=lambda i: str(i["name"]["value"]), size=paging.CATALOGUE_PAGE
    )


def list_location_capacities(call: Call) -> Answer:
    """How much of a model is left in a region, by SKU."""
    return _capacities(call, [_region(call)])


def list_capacities(call: Call) -> Answer:
    """How much of a model is left, by region and SKU."""
    return _capacities(call, list(call.world.catalogue.regions))


def _capacities(call: Call, regions: list[str]) -> Answer:
    """Base and fine-tuned entries of a SKU become one item with two capacities, what quota is left of each."""
    format_, name, version = (_required(call, parameter) for parameter in _MODEL_CHECKS)
    world, subscription = call.world, call.params["subscription"].lower()
    model = world.catalogue.model(name, version) if format_.lower() == "openai" else None
    items = []
    for region in regions if model is not None else ():
        used = placement.usage(world, subscription, region)
        by_sku: dict[str, Json] = {}
        for sku in world.catalogue.skus(model, region) if model is not None else ():
            left = max(quotas.limit(world, subscription, region, sku.usage) - used.get(sku.usage, 0), 0)
            found = by_sku.setdefault(sku.name, {"availableCapacity": 0, "availableFinetuneCapacity": 0})
            found["availableFinetuneCapacity" if sku.tuned else "availableCapacity"] = left
        spelled = world.catalogue.regions[region][0].replace(" ", "")
        base = f"/subscriptions/{call.params['subscription']}/providers/Microsoft.CognitiveServices/locations/{spelled}"
        items += [
            {
                "id": f"{base}/models/OpenAI.{name}.{version}/skuCapacities/{sku}",
                "type": "Microsoft.CognitiveServices/locations/models/skuCapacities",
                "name": sku,
                "location": spelled,
                "properties": {
                    "model": {"format": "OpenAI", "name": name, "version": version},
                    "skuName": sku,
                    **left_of,
                },
            }
            for sku, left_of in by_sku.items()
        ]
    return paging.page(call, items, dict, size=paging.CATALOGUE_PAGE)


def calculate_capacity(call: Call) -> Answer:
    """The capacity that some workloads ask for: units of throughput, or thousands of tokens a minute.

    Azure's own formula is not public; this one counts tokens a minute and weighs what is generated.
    """
    asked = call.read(bodies.CapacityQuestion)
    model = call.world.catalogue.model(asked.model.name, asked.model.version)
    sku_name = call.world.catalogue.sku_name(asked.sku_name)
    if model is None:
        raise errors.NO_SUCH_MODEL(format=asked.model.format, name=asked.model.name, version=asked.model.version or "")
    if sku_name is None:
        raise errors.BAD_SKU(sku=asked.sku_name)
    provisioned = "Provisioned" in sku_name
    weight = model.output_weight if provisioned else 1
    tokens = sum(
        w.request_per_minute
        * (w.request_parameters.avg_prompt_tokens + weight * w.request_parameters.avg_generated_tokens)
        for w in asked.workloads
    )
    value = -(-tokens // (model.provisioned_tokens if provisioned else 1000))
    step = model.provisioned_step if provisioned else 1
    answer = {
        "model": {"format": asked.model.format, "name": model.name, "version": model.version},
        "skuName": sku_name,
        "estimatedCapacity": {"value": value, "deployableValue": max(-(-value // step), 1) * step},
    }
    return Answer(body=answer)


def get_operation(call: Call) -> Answer:
    """How a long-running operation stands; at the address of a Location header, at last the resource itself."""
    found = call.world.operations.get(call.params["operation"])
    if found is None or found.subscription != call.params["subscription"].lower():
        raise errors.NO_SUCH_ROUTE(path=call.path)
    body: Json = {
        "id": call.path,
        "name": found.id,
        "status": "InProgress",
        "startTime": wire.moment(found.started),
    }
    if call.now < found.done_at:
        if not _wants_result(call):
            return Answer(body=body)
        return Answer(202, headers={"location": call.url(_result_path(call, found))})
    body |= {"status": "Succeeded", "endTime": wire.moment(found.done_at)}
    if found.failed_code:
        body |= {"status": "Failed", "error": {"code": found.failed_code, "message": found.failed_message}}
    elif _wants_result(call):
        return _result(call, found)
    return Answer(body=body)


def _wants_result(call: Call) -> bool:
    return call.query.get("result") == _RESULT


def _result(call: Call, operation: Operation) -> Answer:
    """What an operation came to: the resource it made or changed, if the caller may read it."""
    key = ids.key(operation.resource)
    deployment = call.world.deployments.get(key)
    owner = call.world.account(deployment.account if deployment is not None else key)
    if owner is None or operation.deletes:
        return Answer(204)
    kind = ids.DEPLOYMENTS if deployment is not None else ids.ACCOUNTS
    roles.require(call.world, call.caller, f"{kind}/read", operation.resource)
    if deployment is None:
        return Answer(body=wire.account(call.world, owner, call.api_version))
    return Answer(body=wire.deployment(call.world, owner, deployment, call.api_version))


def _parent(call: Call) -> Account:
    """The account that a child is written to; without one the child's write is refused in words of its own."""
    p = call.params
    groups.group(call.world, p["subscription"], p["group"])
    groups.require_registered(call.world, p["subscription"], _NAMESPACE)
    found = call.world.account(ids.key(ids.account_id(p["subscription"], p["group"], p["account"])))
    if found is None:
        raise errors.NO_PARENT(verb="write", type=ids.DEPLOYMENTS, parent=f"accounts/{p['account']}")
    return found


def _written(call: Call, owner: Account, made: Deployment, status: int) -> Answer:
    """A deployment as a write leaves it; one that takes its time names the operation to follow."""
    seconds = deployments.seconds_left(made, call.now)
    headers: dict[str, str] = {}
    if seconds:
        failed = (made.failed_code or errors.CREATE_FAILED.code, made.failed) if made.failed else None
        headers = _follow(call, call.world.start_operation(made.id, owner.location, seconds, failed=failed))
    return Answer(status, wire.deployment(call.world, owner, made, call.api_version), headers)


def _gone(call: Call, resource_id: str, location: str, seconds: float) -> Answer:
    """The empty answer to a delete; one that takes its time names the operation to follow."""
    if not seconds:
        return Answer(200)
    operation = call.world.start_operation(resource_id, location, seconds, deletes=True)
    return Answer(202, headers=_follow(call, operation))


def _full_name(model: catalogue.Model) -> str:
    return model.full_name


def _required(call: Call, name: str) -> str:
    given = call.argument(name)
    if not given:
        raise errors.NO_PARAMETER_OF_QUERY(name=name)
    return given


def _named(call: Call, usages: list[Json]) -> list[Json]:
    """The usages that `$filter` names."""
    given = call.argument("$filter").strip()
    if not given:
        return usages
    terms = [_NAMED.fullmatch(term) for term in re.split(r"\s+or\s+", given, flags=re.IGNORECASE)]
    names = {term["name"].lower() for term in terms if term is not None}
    if None in terms:
        raise errors.BAD_FILTER(filter=given)
    return [usage for usage in usages if usage["name"]["value"].lower() in names]


def _region(call: Call) -> str:
    region = call.world.catalogue.region(call.params["location"])
    if region is None:
        raise errors.BAD_LOCATION(
            location=call.params["location"], type=ids.ACCOUNTS, regions=",".join(call.world.catalogue.regions)
        )
    return region


def _usage(call: Call, name: str, current: int, limit: int) -> Json:
    return {
        "name": {"value": name, "localizedValue": call.world.catalogue.called(name)},
        "currentValue": current,
        "limit": limit,
        "unit": "Count",
    }


def _follow(call: Call, operation: Operation) -> dict[str, str]:
    """The headers that tell where to ask how an operation stands, and where its result will be."""
    path = f"{_operation_path(operation)}?api-version={call.api_version}"
    return {
        "azure-asyncoperation": call.url(path),
        "location": call.url(_result_path(call, operation)),
    }


def _result_path(call: Call, operation: Operation) -> str:
    return f"{_operation_path(operation)}?api-version={call.api_version}&result={_RESULT}"


def _operation_path(operation: Operation) -> str:
    return (
        f"/subscriptions/{operation.subscription}/providers/Microsoft.CognitiveServices/locations/"
        f"{operation.location}/operationResults/{operation.id}"
    )
