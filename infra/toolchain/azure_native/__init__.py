"""The stand-in for the official `azure-native` plugin, where that one cannot be downloaded.

It speaks Azure Resource Manager's REST for the resource types of `table.py` and follows the rules of the
official plugin; `differences.py` says where it does not. It is for a resource manager on this machine and
refuses any other one (`cloud.py`).

    provider    the gRPC service: what the engine asks for, call by call
    operations  create, read, update and delete, in terms of inputs and outputs
    table       one row for each resource type · shapes: what their properties look like · derive: writes them
    check, names, diff, merge, convert      the rules between a program's inputs and Azure's bodies; pure
    session     what a configured provider has: settings, login (tokens), cloud (endpoints)
    resource_manager    requests to Azure: retries, long-running operations · patience: how long · transport: HTTPS
    wire        values of the Pulumi protocol as Python values
"""
