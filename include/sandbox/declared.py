"""Request bodies whose official SDK the product does not have: the same schema, written down.

One model a line: `name type` for each member, `!` where it must be there; `[x]` is a list of x, `{x}` a map to x, `a|b` an enumeration, and
a capital letter begins another model. Vaults: read from the models of azure-mgmt-keyvault 14.0.1, against which a test holds it
(tests/clients/test_vaults.py). Deployments: the Resources OpenAPI document (2025-04-01), also what clients only read and may send back;
held against azure-mgmt-resource-deployments (tests/clients/test_deployments.py).
"""

from __future__ import annotations

VAULTS = """
VaultCreateOrUpdateParameters: location! str, tags {str}, properties! VaultProperties
VaultPatchParameters: tags {str}, properties VaultPatchProperties
VaultAccessPolicyParameters: properties! VaultAccessPolicyProperties
VaultAccessPolicyProperties: accessPolicies! [AccessPolicyEntry]
VaultCheckNameAvailabilityParameters: name! str, type! str
VaultProperties: tenantId! str, sku! Sku, accessPolicies [AccessPolicyEntry], vaultUri str, enabledForDeployment bool, \
enabledForDiskEncryption bool, enabledForTemplateDeployment bool, enableSoftDelete bool, softDeleteRetentionInDays int, \
enableRbacAuthorization bool, createMode recover|default, enablePurgeProtection bool, networkAcls NetworkRuleSet, \
provisioningState Succeeded|RegisteringDns, publicNetworkAccess str
VaultPatchProperties: tenantId str, sku Sku, accessPolicies [AccessPolicyEntry], enabledForDeployment bool, enabledForDiskEncryption bool, \
enabledForTemplateDeployment bool, enableSoftDelete bool, enableRbacAuthorization bool, softDeleteRetentionInDays int, \
createMode recover|default, enablePurgeProtection bool, networkAcls NetworkRuleSet, publicNetworkAccess str
Sku: family! A|A, name! standard|premium
AccessPolicyEntry: tenantId! str, objectId! str, applicationId str, permissions! Permissions
Permissions: keys [str], secrets [str], certificates [str], storage [str]
NetworkRuleSet: bypass AzureServices|None, defaultAction Allow|Deny, ipRules [IPRule], virtualNetworkRules [VirtualNetworkRule]
IPRule: value! str
VirtualNetworkRule: id! str, ignoreMissingVnetServiceEndpoint bool
KeyCreateParameters: tags {str}, properties! KeyProperties
KeyProperties: attributes KeyAttributes, kty EC|EC-HSM|RSA|RSA-HSM, keyOps [encrypt|decrypt|sign|verify|wrapKey|unwrapKey|import|release], \
keySize int, curveName P-256|P-384|P-521|P-256K, rotationPolicy RotationPolicy, release_policy KeyReleasePolicy
KeyAttributes: enabled bool, nbf int, exp int, exportable bool
RotationPolicy: attributes KeyRotationPolicyAttributes, lifetimeActions [LifetimeAction]
KeyRotationPolicyAttributes: expiryTime str
LifetimeAction: trigger Trigger, action Action
Trigger: timeAfterCreate str, timeBeforeExpiry str
Action: type rotate|notify
KeyReleasePolicy: contentType str, data any
"""

DEPLOYMENTS = """
DeploymentContent: location str, tags {str}, identity any, properties DeploymentProperties
DeploymentProperties: template any, templateLink any, parameters any, parametersLink any, mode str, debugSetting DebugSetting, \
onErrorDeployment any, expressionEvaluationOptions any, validationLevel str, extensionConfigs any, externalInputs any, \
externalInputDefinitions any, whatIfSettings any, provisioningState any, correlationId any, timestamp any, duration any, outputs any, \
providers any, dependencies any, templateHash any, outputResources any, validatedResources any, \
extensions any, diagnostics any, error any
DebugSetting: detailLevel str
"""


def members_of(text: str) -> dict[str, list[tuple[str, bool, str]]]:
    """Each model's members: (name, whether it is required, what it is)."""
    found: dict[str, list[tuple[str, bool, str]]] = {}
    for line in text.strip().splitlines():
        model, _, rest = line.partition(":")
        pairs = (one.split() for one in rest.split(","))
        found[model] = [(name.rstrip("!"), name.endswith("!"), what) for name, what in pairs]
    return found


MODELS = members_of(VAULTS) | members_of(DEPLOYMENTS)
