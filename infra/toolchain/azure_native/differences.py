"""What a user of the stand-in should know, as a page in Markdown: `page()`.

Its first part is the table itself; the second is written here, beside the code that it is about. Whoever
changes how the stand-in behaves changes this list in the same commit.
"""

from infra.toolchain.azure_native import invoke
from infra.toolchain.azure_native.cloud import CONSENT, CONSENT_VALUE
from infra.toolchain.azure_native.names import naming_of
from infra.toolchain.azure_native.patience import DEFAULT_TIMEOUT
from infra.toolchain.azure_native.resource_manager import RETRIES
from infra.toolchain.azure_native.table import ROWS, Row
from infra.toolchain.versions import AZURE_NATIVE

SAME = (
    "Create looks first and never takes over what is there (`cannot create already existing resource '<id>'`), then "
    "PUTs, waits for the end of the operation, and reads.",
    "An operation that fails after Azure has accepted it leaves the resource in the state, with its reasons; the "
    "next `pulumi up` mends it.",
    'Errors of Azure read `Status=409 Code="RequestConflict" Message="…"`. That one is not waited for; of the '
    "conflicts only `AnotherOperationInProgress` is.",
    "Changes are found by comparing inputs with inputs, exactly as they were written; only the spelling of "
    "`location` does not matter.",
    "A refresh takes from Azure only what changed since its last answer, so Azure's own defaults are not drift.",
    "A role assignment or diagnostic setting is imported with its scope without the leading slash. A program that "
    "adopts one (`import_=`) must write the scope so too.",
    f"An operation may take {DEFAULT_TIMEOUT / 3600:g} hours unless `custom_timeouts` say otherwise.",
    "A soft-deleted account is not purged.",
)
"""What is easily expected to differ, and does not."""

DIFFERENT = (
    f"It works with a resource manager on this machine only. `{CONSENT}={CONSENT_VALUE}` overrules that.",
    "It knows the types above. Their properties are those of the Python SDK; properties that this does not list are "
    "dropped, as the official plugin does, but kept for a version named in the type (`cognitiveservices/v20241001`).",
    "Patterns, lengths and ranges of properties are not checked before they are sent, but for the names above. Types "
    "and required properties are.",
    "Replacement is known for the properties above. The official plugin also knows of properties one level further "
    "down; the API versions above have none that this project uses.",
    "Waiting: it asks first after 0.1 s and then ever more slowly, up to every 5 s (official: every 10 s, deletions "
    "every 30 s). `Retry-After` is honoured by both.",
    f"Repeating: {RETRIES} times, after 0.5, 1 and 2 s (official: after 20, 60 and 120 s). `Retry-After` is honoured "
    "by both.",
    "Random names have the same form, but other digits for the same seed.",
    "A default in Azure's specification is not put back when a program stops setting the property.",
    "A role assignment of another tenant (`delegatedManagedIdentityResourceId`) is read like any other.",
    "A client secret or a federated token is exchanged at once, without discovery of the authority. Whoever "
    "configures neither is left to azure-identity's default credential (official: the Azure CLI).",
    f"Of the functions only `{invoke.CLIENT_CONFIG}` is there. There is no schema, so no `pulumi package add` "
    "and no code for imports (`pulumi import --generate-code=false` works).",
    "A key of a vault is not deleted: the resource manager cannot (official: at the vault's own address, which a local "
    "Azure has not). With `deleted_with` its vault it need not be.",
    "Packages made by `pulumi package add azure-native <module> <version>` are not supported.",
)
"""What does differ."""

LANGUAGE_HOST = (
    "It knows the toolchain `pip`, and runs a program without the option `virtualenv` on the Python of hearth's venv.",
    "It installs nothing and generates no code, and cannot attach a debugger.",
    "`pulumi.RunError` ends a run with its text alone (official: a line about the exit code follows).",
    "What a program prints is shown when it prints it.",
    "A Python that has imported the SDK waits for the program, so a run starts sooner. It belongs to the engine that "
    "it was started for, and ends with it.",
)
"""What differs in the other stand-in, `pulumi-language-python`."""


def page() -> str:
    """The page, with a title and a final newline."""
    rows = "\n".join(map(_line, ROWS))
    return (
        f"# The stand-in for the azure-native plugin {AZURE_NATIVE}\n\n"
        "Where the official plugin cannot be downloaded, a plugin written in Python stands in for it, for use with a "
        "local Azure. It is used only when the official plugin of exactly this version is not installed.\n\n"
        "## Types\n\n"
        "A change of a path parameter replaces a resource as well.\n\n"
        "| Type | API version | Named automatically | Replaced by a change of | Long-running |\n"
        "| --- | --- | --- | --- | --- |\n"
        f"{rows}\n\n"
        f"## The same as the official plugin\n\n{_list(SAME)}\n## Different\n\n{_list(DIFFERENT)}\n"
        f"## The language host beside it\n\n{_list(LANGUAGE_HOST)}"
    )


def _line(row: Row) -> str:
    naming = f"`{row.name_input}`: {naming_of(row).value}"
    long = ", ".join(name for name, is_long in (("PUT", row.long_put), ("DELETE", row.long_delete)) if is_long)
    replaced = ", ".join(f"`{name}`" for name in row.replaced_by)
    cells = (f"`{row.token.removeprefix('azure-native:')}`", row.api_version, naming, replaced or "—", long or "—")
    return f"| {' | '.join(cells)} |"


def _list(sentences: tuple[str, ...]) -> str:
    return "".join(f"- {sentence}\n" for sentence in sentences)
