# SPDX-License-Identifier: GPL-3.0-or-later
"""ECR's manifests, logins, uploads and layers, and the images that are unpacked from them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.aws.errors import AwsError
from local_cloud.containers.image_sweep import set_aside
from local_cloud.ecr import image_store
from local_cloud.ecr.image_store import ImageStore, Repository, StoredImage
from local_cloud.ecr.manifests import read_manifest
from local_cloud.ecr.tokens import LIFE_SECONDS, Tokens
from local_cloud.ecr.uploads import Uploads, WrongDigest

HERE = Repository(Caller("000000000000", "us-east-1"), "demo")
THERE = Repository(Caller("000000000000", "eu-west-1"), "demo")
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def raw(**content: Any) -> bytes:
    return json.dumps(content).encode()


def test_a_manifest_names_its_blobs_and_its_size() -> None:
    layers = [{"digest": "sha256:b", "size": 3}, {"digest": "sha256:c", "size": 4}]
    manifest = read_manifest(
        raw(mediaType=DOCKER, config={"digest": "sha256:a", "mediaType": "x"}, layers=layers), None
    )
    assert manifest.blobs == ("sha256:a", "sha256:b", "sha256:c")
    assert (manifest.layers_size, manifest.children, manifest.artifact_type) == (7, (), "x")


def test_an_index_names_its_images() -> None:
    index = read_manifest(raw(manifests=[{"digest": "sha256:a"}]), INDEX)
    assert (index.children, index.blobs, index.media_type) == (("sha256:a",), (), INDEX)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        raw(layers=[]),
        raw(mediaType=DOCKER, layers=[{"size": 1}]),
        raw(mediaType=DOCKER, layers=[{"digest": "x", "size": "1"}]),
        raw(mediaType=DOCKER, layers=[{"digest": "x", "size": -1}]),
        raw(mediaType=DOCKER, layers=[{"digest": "x", "size": 10**30}]),
        raw(mediaType=DOCKER, layers=["x"]),
        raw(mediaType=DOCKER, config="x"),
        raw(mediaType=7),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(AwsError) as refused:
        read_manifest(content, None)
    assert refused.value.code == "InvalidParameterException"


def test_a_login_says_whose_registry_is_meant_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller("111111111111", "eu-central-1")
    password, expires = Tokens(tmp_path).issue("AKIAEXAMPLE", caller)
    assert expires == pytest.approx(time.time() + LIFE_SECONDS, abs=5)
    basic = "Basic " + base64.b64encode(f"AWS:{password}".encode()).decode()
    token = Tokens(tmp_path).identify({"authorization": basic})
    assert token is not None
    assert (token.caller, token.access_key, token.expired) == (caller, "AKIAEXAMPLE", False)
    monkeypatch.setattr(time, "time", lambda: expires + 1)
    assert token.expired


def test_a_login_that_nobody_was_given_is_none(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "ours")
    password, _ = tokens.issue("key", HERE.owner)
    changed = base64.urlsafe_b64encode(base64.urlsafe_b64decode(password)[:-1] + b"9").decode()
    for wrong in ("", "x", changed, "é", Tokens(tmp_path / "theirs").issue("key", HERE.owner)[0]):
        assert tokens.read(wrong) is None
    other_user = base64.b64encode(f"root:{password}".encode()).decode()
    assert tokens.identify({"authorization": f"Basic {other_user}"}) is None
    assert (tmp_path / "ours/token.key").stat().st_mode & 0o777 == 0o600


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


async def upload(uploads: Uploads, repository: Repository, content: bytes) -> str:
    begun = uploads.begin(repository)
    await uploads.write(begun, content)
    uploads.acknowledge(begun)
    uploads.finish(begun, digest_of(content))
    return digest_of(content)


def test_a_layer_belongs_to_the_repository_it_was_pushed_to(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ImageStore(tmp_path)
        digest = await upload(Uploads(store), HERE, b"layer")
        assert store.layer_size(HERE, digest) == 5
        assert store.layer_size(THERE, digest) is None
        assert store.blob_path(digest).read_bytes() == b"layer"
        assert list(store.uploads_dir.iterdir()) == []

    asyncio.run(scenario())


def test_what_was_not_acknowledged_of_an_upload_is_forgotten(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ImageStore(tmp_path)
        uploads = Uploads(store)
        begun = uploads.begin(HERE)
        await uploads.write(begun, b"acknowledged ")
        uploads.acknowledge(begun)
        await uploads.write(begun, b"not")
        store.close()
        store = ImageStore(tmp_path)
        uploads = Uploads(store)
        found = await uploads.find(HERE, begun.id)
        assert found is not None
        assert found.received == 13
        assert await uploads.find(THERE, begun.id) is None
        await uploads.write(found, b"more")
        uploads.finish(found, digest_of(b"acknowledged more"))
        assert store.layer_size(HERE, digest_of(b"acknowledged more")) == 17

    asyncio.run(scenario())


def test_an_upload_of_something_else_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        uploads = Uploads(ImageStore(tmp_path))
        begun = uploads.begin(HERE)
        await uploads.write(begun, b"this")
        with pytest.raises(WrongDigest, match=digest_of(b"this")):
            uploads.finish(begun, digest_of(b"that"))
        assert await uploads.find(HERE, begun.id) is None

    asyncio.run(scenario())


def test_uploads_that_nobody_finishes_are_removed_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ImageStore(tmp_path)
    uploads = Uploads(store)
    old = uploads.begin(HERE)
    later = time.time() + 25 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    new = uploads.begin(HERE)
    (store.uploads_dir / "of-nobody").touch()
    uploads.expire()
    assert [path.name for path in store.uploads_dir.iterdir()] == [new.id]
    assert asyncio.run(uploads.find(HERE, old.id)) is None


def put(store: ImageStore, repository: Repository, name: str, layer: str, tag: str | None = None) -> None:
    image = StoredImage(name, DOCKER, None, b"{}", 1, time.time(), None)
    store.put_image(repository, image, (layer,), tag)


def test_a_tag_moves_to_the_image_it_was_put_on_last(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    put(store, HERE, "one", "l", "latest")
    put(store, HERE, "two", "l", "latest")
    assert [(image.digest, image.tags) for image in store.images(HERE)] == [("one", ()), ("two", ("latest",))]
    latest = store.image(HERE, tag="latest")
    assert latest is not None
    assert latest == store.image(HERE, digest="two", tag="latest")
    assert store.image(HERE, digest="one", tag="latest") is None
    assert store.images(THERE) == []


def test_layers_that_no_image_needs_are_removed_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        store = ImageStore(tmp_path)
        uploads = Uploads(store)
        used, unused, shared = [await upload(uploads, HERE, content) for content in (b"used", b"unused", b"shared")]
        await upload(uploads, THERE, b"shared")
        put(store, HERE, "one", used)
        put(store, THERE, "two", shared)
        assert store.collect_garbage() == [], "an image may still be on its way"
        later = time.time() + image_store.UNUSED_LAYER_SECONDS + 60
        monkeypatch.setattr(time, "time", lambda: later)
        assert store.collect_garbage() == [store.blob_path(unused)]
        assert (store.layer_size(HERE, used), store.layer_size(HERE, shared)) == (4, None)
        assert store.layer_size(THERE, shared) == 6
        store.remove_image(HERE, "one")
        assert set(store.collect_garbage()) == {store.blob_path(unused), store.blob_path(used)}

    asyncio.run(scenario())


def test_a_repository_that_is_gone_leaves_nothing_to_the_next_of_its_name(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    store.add_layer(HERE, "l", 1)
    put(store, HERE, "one", "l", "v1")
    store.remove_repository(HERE)
    assert (store.images(HERE), store.layer_size(HERE, "l"), store.image(HERE, tag="v1")) == ([], None, None)


def test_images_that_nothing_uses_are_set_aside_at_once(tmp_path: Path) -> None:
    for name in ("a" * 64, "b" * 64, ".unpacking-x", ".unused-of-before"):
        (tmp_path / name).mkdir()
    aside = set_aside(tmp_path, {"sha256:" + "a" * 64})
    assert sorted(path.name for path in tmp_path.iterdir() if path not in aside) == [".unpacking-x", "a" * 64]
    assert len(aside) == 2
