"""Pictures of one bucket made small in another, with Pillow.

A host sets TEAL_BUCKETS to the folder that holds the buckets. An object lies where its key says, below its bucket's folder.
"""

import os
from pathlib import Path, PurePosixPath

from PIL import Image

BUCKETS = Path(os.environ["TEAL_BUCKETS"])


def make_thumbnail(bucket, key, size):
    """Writes a copy that fits into size x size pixels, under the same name. Safe to repeat: the file is replaced as a whole."""
    name = PurePosixPath(key).relative_to("in")
    target = BUCKETS / "thumbnails" / str(size) / name
    partial = BUCKETS / ".incoming" / f"{size}-{key.replace('/', '-')}"
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(BUCKETS / bucket / key) as picture:
        kind = picture.format
        picture.thumbnail((size, size))
        picture.save(partial, format=kind)
        width, height = picture.size
    partial.replace(target)
    return {"key": f"{size}/{name}", "width": width, "height": height}
