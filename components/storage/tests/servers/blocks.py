"""The blocks of the tenant `many`, of which there is only the meta. Test servers have them from the start: writing them through HTTP
takes emulators minutes."""

import json
import uuid


def blocks(count: int):
    """Keys and bytes of the metas."""
    for number in range(count):
        block = uuid.UUID(int=number * ((1 << 128) // count))
        meta = {
            "format": "vParquet5", "blockID": str(block), "tenantID": "many",
            "startTime": "2026-01-01T00:00:00Z", "endTime": f"2026-01-01T00:00:00.{number:09}Z",
            "totalObjects": 7, "size": 1000, "compactionLevel": 0, "indexPageSize": 0, "totalRecords": 1,
            "bloomShards": 1, "footerSize": 100, "replicationFactor": 1,
        }
        yield f"many/{block}/meta.json", json.dumps(meta).encode()
