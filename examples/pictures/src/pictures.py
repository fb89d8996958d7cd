"""Steps over picture files, with Pillow."""

from pathlib import Path

from PIL import Image

SUFFIXES = {".png", ".jpg", ".jpeg"}


def find_pictures(folder):
    return sorted(str(path) for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)


def make_thumbnail(path, target, size):
    """Writes a copy that fits into size x size pixels. Safe to repeat: the file is replaced as a whole."""
    source = Path(path)
    Path(target).mkdir(parents=True, exist_ok=True)
    result = Path(target) / source.name
    partial = result.with_name(result.stem + ".part" + result.suffix)
    with Image.open(source) as picture:
        picture.thumbnail((size, size))
        picture.save(partial)
        width, height = picture.size
    partial.replace(result)
    return {"name": source.name, "width": width, "height": height}
