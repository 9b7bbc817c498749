"""The Pulumi engine on a machine that cannot download one.

`cli` finds or builds the `pulumi` executable. `home` lays out a Pulumi home of our own with two
stand-ins in it: a Python language host (`host`) and the `azure_native` resource plugin. Both are used
only where the official one is not installed. Nothing here imports the rest of the project, and this
file imports nothing at all: every stand-in starts through it, on somebody's waiting time.
"""
