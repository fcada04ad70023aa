// Serves Azure Blob Storage from memory, with the container `traces`. Usage: azure.mjs AZURITE PORT BLOCKS
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [azurite, port, count] = process.argv.slice(2);
const load = (path) => createRequire(import.meta.url)(join(azurite, 'dist/src', path));
process.argv.splice(2, Infinity, '--blobHost', '127.0.0.1', '--blobPort', port, '--inMemoryPersistence', '--silent',
  '--skipApiVersionCheck', '--disableTelemetry');
const { BlobServerFactory } = load('blob/BlobServerFactory');
const server = await new BlobServerFactory().createServer();

// What its own start does first, so that everything is there before anybody can ask.
const { accountDataStore, metadataStore, extentStore } = server;
for (const store of [accountDataStore, metadataStore, extentStore]) {
  await store.init();
}
const accountName = 'devstoreaccount1';
const time = new Date('2026-01-01T00:00:00Z');
const lease = { leaseStatus: 'unlocked', leaseState: 'available' };
await metadataStore.createContainer(undefined, {
  accountName, name: 'traces', metadata: {}, properties: { etag: '"x"', lastModified: time, ...lease },
});
const collection = metadataStore.db.getCollection(metadataStore.BLOBS_COLLECTION);
const step = (1n << 128n) / BigInt(count);
for (let number = 0; number < count; number += 1) {
  const hex = (step * BigInt(number)).toString(16).padStart(32, '0');
  const block = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const meta = Buffer.from(JSON.stringify({
    format: 'vParquet5', blockID: block, tenantID: 'many', startTime: '2026-01-01T00:00:00Z',
    endTime: `2026-01-01T00:00:00.${String(number).padStart(9, '0')}Z`, totalObjects: 7, size: 1000, compactionLevel: 0,
    indexPageSize: 0, totalRecords: 1, bloomShards: 1, footerSize: 100, replicationFactor: 1,
  }));
  collection.insert({
    accountName, containerName: 'traces', name: `many/${block}/meta.json`, deleted: false, snapshot: '', isCommitted: true,
    persistency: await extentStore.appendExtent(meta),
    properties: {
      creationTime: time, lastModified: time, etag: '"x"', contentLength: meta.length, contentType: 'application/json',
      blobType: 'BlockBlob', serverEncrypted: true, accessTier: 'Hot', accessTierInferred: true, ...lease,
    },
  });
}
await server.start();
