# interpreters: cpython
"""The image that `make image` builds: the same bytes everywhere, complete, and read by the station's own reader."""

import gzip
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import firmware.maintenance.image as image
from firmware.version import VERSION
from tools import archive, third_party
from tools.image import ROOT, build, freeze, report, wrap

_VERSIONS = ("python3.10", "python3.11", "python3.12", "python3.13", "python3.14")


def other_interpreter():
    """Returns a Python of another version than ours, if there is one on this computer, else ours."""
    places = [Path(path) for path in Path.home().glob(".pyenv/versions/*/bin")]
    found = [shutil.which(name) for name in _VERSIONS] + [str(place / "python3") for place in places]
    for command in filter(None, found):
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([command, "-c", code], capture_output=True, text=True)
        version = tuple(map(int, done.stdout.split("."))) if done.returncode == 0 else (0, 0)
        if version >= (3, 10) and version != sys.version_info[:2]:
            return command
    return sys.executable


def test_two_folders_and_two_versions_of_python_give_the_same_bytes(tmp_path):
    built = []
    for number, python in enumerate((sys.executable, other_interpreter())):
        checkout = tmp_path / f"checkout {number}"
        for tree in ("firmware", "lib", "tools"):
            shutil.copytree(ROOT / tree, checkout / tree, ignore=shutil.ignore_patterns("__pycache__"))
        for path in [*ROOT.glob("*.py"), ROOT / "LICENSE"]:
            shutil.copy(path, checkout)
        (checkout / "firmware" / "kernel" / "page.html").write_text("<html>" * 1000 + str(range(1000)))
        packages = [path for path in sys.path if path.endswith("site-packages")]
        command = [python, "-m", "tools.image"]
        environment = {"PYTHONPATH": ":".join(packages), "PYTHONHASHSEED": str(number)}
        subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True)
        built.append((checkout / "build" / f"wallbox-{VERSION}.img").read_bytes())
    assert built[0] == built[1]


def test_the_archive_holds_exactly_what_is_installed(tmp_path):
    folder = tmp_path / "image"
    manifest = build(folder)
    device = image.Device("esp32s3", (1, 29, 0), (6, 3, 0))
    reader = image.ImageReader(device)
    text, content = b"", {}
    stream = io.BytesIO(archive.pack(folder))
    while piece := stream.read(1024):
        for kind, value in reader.receive(piece):
            if kind == image.MANIFEST:
                text += value
            elif kind == image.FILE:
                name = value[0]
                content[name] = b""
            elif kind == image.DATA:
                content[name] += value
    reader.finish()
    assert text == (folder / "manifest.json").read_bytes() and json.loads(text) == manifest
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert set(content) | {"manifest.json"} == set(there)
    assert all(there[name].read_bytes() == data for name, data in content.items())
    assert {"firmware/app.mpy", "root/boot.py", "firmware/store/settings.txt", "licences.txt"} <= set(content)
    assert not [name for name in content if name.endswith(".py") and not name.startswith("root/")]
    assert reader.head.version == VERSION and reader.head.signature is None
    assert set(reader.head.chips) >= {"esp32", "esp32s3"}


def test_pages_are_compressed_and_other_data_is_not(tmp_path, monkeypatch):
    page = b"<html>" * 100
    (tmp_path / "firmware" / "portal").mkdir(parents=True)
    (tmp_path / "lib" / "y").mkdir(parents=True)
    (tmp_path / "lib" / "y" / "__init__.py").write_text("y = 1\n")
    (tmp_path / "firmware" / "portal" / "index.html").write_bytes(page)
    (tmp_path / "firmware" / "portal" / "words.txt").write_bytes(page)
    (tmp_path / "firmware" / "portal" / "x.py").write_text("x = 1\n")
    for name in ("boot.py", "main.py", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.setattr("tools.image.ROOT", tmp_path)
    monkeypatch.setattr("tools.image.PLAIN", ("boot.py", "main.py"))
    monkeypatch.setattr("tools.image.chips", lambda: ["esp32s3"])
    manifest = build(tmp_path / "image")
    portal = tmp_path / "image" / "firmware" / "portal"
    assert sorted(path.name for path in portal.iterdir()) == ["index.html.gz", "words.txt", "x.mpy"]
    assert gzip.decompress((portal / "index.html.gz").read_bytes()) == page
    assert (portal / "words.txt").read_bytes() == page
    assert manifest["mpy"] == [6, 0, 0]
    freeze(tmp_path / "frozen")
    namespace: dict = {}
    exec((tmp_path / "frozen" / "firmware" / "portal" / "index_html_gz.py").read_text(), namespace)
    assert gzip.decompress(namespace["DATA"]) == page


def install(folder, monkeypatch):
    """Makes an installed package, as pip leaves it, and makes it known to importlib."""
    metadata = folder / "tinyweb-1.2.dist-info"
    (folder / "tinyweb").mkdir(parents=True)
    (folder / "tinyweb" / "__init__.py").write_text("def serve():\n    pass\n")
    (folder / "tinyweb" / "jinja.py").write_text("import jinja2\n")
    (metadata / "licenses").mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.4\nName: tinyweb\nVersion: 1.2\n")
    (metadata / "licenses" / "LICENSE").write_text("Do what you want, and name me.\n")
    files = [path for path in folder.rglob("*") if path.is_file()]
    (metadata / "RECORD").write_text("".join(f"{path.relative_to(folder).as_posix()},,\n" for path in files))
    monkeypatch.syspath_prepend(str(folder))


def test_packages_of_others_come_with_their_licences(tmp_path, monkeypatch):
    install(tmp_path / "site", monkeypatch)
    packages = (third_party.Package("tinyweb", ("tinyweb/__init__.py",)),)
    monkeypatch.setattr(third_party, "PACKAGES", packages)
    manifest = build(tmp_path / "image")
    names = [name for name, _, _ in manifest["files"]]
    assert "lib/tinyweb/__init__.mpy" in names and "lib/tinyweb/jinja.mpy" not in names
    text = (tmp_path / "image" / "licences.txt").read_text()
    assert "MIT License" in text and "tinyweb 1.2\n\nDo what you want" in text
    freeze(tmp_path / "frozen")
    assert 'package("tinyweb", base_path="lib")' in (tmp_path / "frozen" / "manifest.py").read_text()


def test_the_report_counts_every_byte(tmp_path):
    manifest = build(tmp_path / "image")
    lines = list(report(manifest))
    (total,) = [line.split() for line in lines if line.startswith("all ")]
    files = [path for path in (tmp_path / "image").rglob("*") if path.is_file() and path.name != "manifest.json"]
    assert int(total[1]) == manifest["count"] == len(files)
    assert int(total[2]) + int(total[3]) == manifest["size"] == sum(path.stat().st_size for path in files)
    charging = sum(path.stat().st_size for path in files if "firmware/charging" in path.as_posix())
    (line,) = [line for line in lines if line.startswith("firmware/charging ")]
    assert line.split()[2] == str(charging)


def test_an_application_for_a_partition_is_an_image_too(tmp_path):
    application = tmp_path / "micropython.bin"
    application.write_bytes(bytes([0xE9, 6, 2, 0x4F]) + bytes(8) + bytes([9, 0]) + bytes(5000))
    manifest = wrap(application, tmp_path / "image")
    assert manifest["kind"] == "application" and manifest["chips"] == ["esp32s3"]
    reader = image.ImageReader(image.Device("esp32s3", (1, 27, 0), (6, 3, 0), image.APPLICATION))
    events = list(reader.receive(archive.pack(tmp_path / "image")))
    reader.finish()
    assert [value[:2] for kind, value in events if kind == image.FILE] == [("micropython.bin", 5014)]


def rows(name):
    text = (ROOT / "tools" / "production" / name).read_text()
    return [[word.strip() for word in line.split(",")] for line in text.splitlines() if line and line[0] != "#"]


def test_the_partition_table_has_two_places_for_an_application_and_fits_the_flash():
    table = {row[0]: (row[1], row[2], int(row[3], 0), int(row[4], 0)) for row in rows("partitions.csv")}
    end = 0x9000  # boot loader and table lie before
    for kind, _, start, size in sorted(table.values(), key=lambda row: row[2]):
        assert start == end and start % (0x10000 if kind == "app" else 0x1000) == 0
        end = start + size
    configuration = (ROOT / "tools" / "production" / "sdkconfig.board").read_text()
    assert end == 8 * 1024 * 1024 and "CONFIG_ESPTOOLPY_FLASHSIZE_8MB=y" in configuration
    assert "CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y" in configuration
    assert table["ota_0"][:2] == ("app", "ota_0") and table["ota_1"][:2] == ("app", "ota_1")
    assert table["ota_0"][3] == table["ota_1"][3] > 2_500_000
    assert table["otadata"] == ("data", "ota", 0xD000, 0x2000)
    assert table["vfs"][0] == "data"  # as MicroPython looks for it


def test_the_manifest_for_freezing_keeps_what_the_port_needs_itself(tmp_path):
    freeze(tmp_path)
    assert 'include("$(PORT_DIR)/boards/manifest.py")' in (tmp_path / "manifest.py").read_text()
    namespace: dict = {}
    exec((tmp_path / "licences_txt.py").read_text(), namespace)
    assert b"MIT License" in namespace["DATA"]


def test_a_frozen_data_file_without_a_folder_is_found(tmp_path, monkeypatch):
    from firmware.kernel.resources import open_data

    (tmp_path / "words_txt.py").write_text("DATA = b'yes'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert open_data("words.txt").read() == b"yes"
