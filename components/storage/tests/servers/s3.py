"""Serves S3 from memory, with the bucket `traces`. Usage: s3.py PORT BLOCKS [CERTIFICATE KEY]"""

import sys

from blocks import blocks
from moto.s3.models import s3_backends
from moto.server import main

port, count = int(sys.argv[1]), int(sys.argv[2])
store = s3_backends["123456789012"]["aws"]
store.create_bucket("traces", "us-east-1")
for key, meta in blocks(count):
    store.put_object("traces", key, meta)
tls = [value for pair in zip(["-c", "-k"], sys.argv[3:]) for value in pair]
main(["-H", "127.0.0.1", "-p", str(port), *tls])
