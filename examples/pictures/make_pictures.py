#!/usr/bin/env python3
"""Draws the pictures that the example works on: make_pictures.py FOLDER."""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

SIZES = [("garden.png", 1200, 800), ("harbour.jpg", 900, 1600), ("market.png", 640, 640), ("tower.jpg", 2000, 500)]


def draw(path, width, height):
    picture = Image.new("RGB", (width, height), (0, 128, 128))
    pen = ImageDraw.Draw(picture)
    for step in range(0, max(width, height), 40):
        shade = (step * 7 % 256, step * 3 % 256, 200)
        pen.line([(step, 0), (width - step, height)], fill=shade, width=5)
    pen.ellipse([width // 4, height // 4, 3 * width // 4, 3 * height // 4], outline=(255, 240, 200), width=12)
    picture.save(path)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, width, height in SIZES:
        draw(folder / name, width, height)


if __name__ == "__main__":
    main()
