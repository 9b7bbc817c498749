"""Serves the components to Pulumi programs in other languages: `pulumi package add ./components`."""

from pulumi.provider.experimental import component_provider_host

from components import FineTunedDeployment, KeepAliveJob, ModelAccess, OpenAIAccount

if __name__ == "__main__":
    component_provider_host(name="hearth", components=[OpenAIAccount, ModelAccess, FineTunedDeployment, KeepAliveJob])
