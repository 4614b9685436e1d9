// A gallery, a definition, a version from a snapshot in two regions, and their end, with the official JavaScript clients on the public cloud.
import { createRequire } from "node:module";
const require = createRequire(process.argv[2]); // the folder whose node_modules has the clients
const { EnvironmentCredential } = require("@azure/identity");
const { ComputeManagementClient } = require("@azure/arm-compute");
const { ResourceManagementClient } = require("@azure/arm-resources");

const credential = new EnvironmentCredential();
const subscription = process.env.AZURE_SUBSCRIPTION_ID;
const resources = new ResourceManagementClient(credential, subscription);
const compute = new ComputeManagementClient(credential, subscription);
const group = "javascript", location = "westeurope";

await resources.resourceGroups.createOrUpdate(group, { location });
const disk = await compute.disks.createOrUpdate(group, "os", {
  location,
  creationData: {
    createOption: "FromImage",
    imageReference: {
      id: `/subscriptions/${subscription}/providers/Microsoft.Compute/locations/${location}/publishers/Canonical/artifacttypes/vmimage` +
        "/offers/0001-com-ubuntu-server-jammy/skus/22_04-lts/versions/latest",
    },
  },
});
const snapshot = await compute.snapshots.createOrUpdate(group, "os", { location, creationData: { createOption: "Copy", sourceResourceId: disk.id } });
await compute.galleries.createOrUpdate(group, "factory", { location });
await compute.galleryImages.createOrUpdate(group, "factory", "ubuntu", {
  location,
  osType: "Linux",
  osState: "Generalized",
  hyperVGeneration: "V1",
  identifier: { publisher: "contoso", offer: "linux", sku: "base" },
});
await compute.galleryImageVersions.createOrUpdate(group, "factory", "ubuntu", "1.0.0", {
  location,
  publishingProfile: { targetRegions: [{ name: location }, { name: "northeurope", regionalReplicaCount: 2 }] },
  storageProfile: { osDiskImage: { source: { id: snapshot.id } } },
});
const version = await compute.galleryImageVersions.get(group, "factory", "ubuntu", "1.0.0", { expand: "ReplicationStatus" });
const names = [];
for await (const one of compute.galleryImageVersions.listByGalleryImage(group, "factory", "ubuntu")) names.push(one.name);
console.log(JSON.stringify({ state: version.provisioningState, replication: version.replicationStatus.aggregatedState, names }));
try {
  await compute.virtualMachines.get(group, "absent");
} catch (error) {
  console.log(error.code);
}
await resources.resourceGroups.beginDeleteAndWait(group);
console.log((await resources.resourceGroups.checkExistence(group)).body);
