# SPDX-License-Identifier: GPL-3.0-or-later
"""ECR: what Docker and the ECR API see of repositories, layers and images, without a Docker engine."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from local_cloud_images import push_blob
from local_cloud_process import LocalCloud, is_gone

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
LAYER = b"layer" * 1000


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)["errors"][0]
        return found


@dataclass
class Docker:
    """Speaks to the registry as Docker does, for one account and region."""

    cloud: LocalCloud
    account: str = "000000000000"
    region: str = "us-east-1"

    @property
    def ecr(self) -> Any:
        return boto3.client(
            "ecr",
            endpoint_url=self.cloud.url,
            region_name=self.region,
            aws_access_key_id=self.account,
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def login(self) -> str:
        token: str = self.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        return f"Basic {token}"

    def call(
        self, method: str, path: str, body: Any = None, *, authorization: str | None = "", **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.cloud.port)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if authorization is not None:
            sent["Authorization"] = authorization or self.login()
        connection.request(method, path, body=body, headers=sent)
        response = connection.getresponse()
        answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        connection.close()
        return answer

    def push_layer(self, repository: str, content: bytes) -> dict[str, Any]:
        begun = self.call("POST", f"/v2/{repository}/blobs/uploads/")
        assert begun.status == 202, begun
        assert self.call("PATCH", begun.headers["location"], content).status == 202
        digest = digest_of(content)
        done = self.call("PUT", f"{begun.headers['location']}?digest={digest}", b"")
        assert done.status == 201, done
        return {"digest": digest, "size": len(content)}

    def push(self, repository: str, tag: str, content: bytes = LAYER) -> Answer:
        config = self.push_layer(repository, json.dumps({"os": "linux", "about": tag}).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **config},
            "layers": [self.push_layer(repository, content)],
        }
        return self.put_manifest(repository, tag, manifest)

    def put_manifest(self, repository: str, reference: str, manifest: dict[str, Any]) -> Answer:
        body = json.dumps(manifest).encode()
        path = f"/v2/{repository}/manifests/{reference}"
        return self.call("PUT", path, body, Content_Type=manifest["mediaType"])


@pytest.fixture(scope="module")
def cloud(new_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    cloud = new_cloud()
    cloud.start()
    return cloud


@pytest.fixture
def docker(cloud: LocalCloud) -> Docker:
    return Docker(cloud)


@pytest.fixture
def repository(docker: Docker) -> str:
    name = f"demo/{time.time_ns()}"
    docker.ecr.create_repository(repositoryName=name)
    return name


def test_what_was_pushed_can_be_pulled(docker: Docker, repository: str) -> None:
    pushed = docker.push(repository, "v1")
    assert pushed.status == 201
    by_tag = docker.call("GET", f"/v2/{repository}/manifests/v1")
    assert by_tag.headers["content-type"] == DOCKER_MANIFEST
    assert by_tag.headers["docker-content-digest"] == pushed.headers["docker-content-digest"] == digest_of(by_tag.body)
    assert docker.call("HEAD", f"/v2/{repository}/manifests/{digest_of(by_tag.body)}").status == 200
    layer = json.loads(by_tag.body)["layers"][0]
    assert docker.call("GET", f"/v2/{repository}/blobs/{layer['digest']}").body == LAYER
    assert docker.call("HEAD", f"/v2/{repository}/blobs/{layer['digest']}").headers["content-length"] == str(len(LAYER))
    assert json.loads(docker.call("GET", f"/v2/{repository}/tags/list").body)["tags"] == ["v1"]


def test_the_login_selects_the_account_and_the_region(cloud: LocalCloud) -> None:
    places = [Docker(cloud), Docker(cloud, "111111111111"), Docker(cloud, "111111111111", "eu-central-1")]
    for number, place in enumerate(places):
        place.ecr.create_repository(repositoryName="same/name")
        assert place.push("same/name", f"of-{number}").status == 201
    for number, place in enumerate(places):
        assert [i["imageTag"] for i in place.ecr.list_images(repositoryName="same/name")["imageIds"]] == [
            f"of-{number}"
        ]
        assert json.loads(place.call("GET", "/v2/same/name/tags/list").body)["tags"] == [f"of-{number}"]


@pytest.mark.parametrize(
    "authorization",
    [None, "Basic " + base64.b64encode(b"AWS:made-up").decode(), "Basic not base64", "Bearer x"],
    ids=["none", "made up", "broken", "another scheme"],
)
def test_who_has_not_logged_in_is_asked_to(docker: Docker, repository: str, authorization: str | None) -> None:
    for path in ("/v2/", f"/v2/{repository}/manifests/latest"):
        answer = docker.call("GET", path, authorization=authorization)
        assert (answer.status, answer.body) == (401, b"Not Authorized\n")
        assert answer.headers["www-authenticate"].startswith("Basic ")
    assert docker.call("GET", "/v2/").status == 200


def test_a_repository_that_does_not_exist_is_refused_in_ecrs_words(docker: Docker) -> None:
    words = "The repository with name 'no/such' does not exist in the registry with id '000000000000'"
    for method, path in (("POST", "/v2/no/such/blobs/uploads/"), ("GET", "/v2/no/such/manifests/latest")):
        answer = docker.call(method, path)
        assert (answer.status, answer.error) == (404, {"code": "NAME_UNKNOWN", "message": words})
    with pytest.raises(docker.ecr.exceptions.RepositoryNotFoundException, match=words):
        docker.ecr.describe_images(repositoryName="no/such")


def test_immutable_tags_stay_where_they_are(docker: Docker, repository: str) -> None:
    docker.ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    assert docker.push(repository, "v1").status == 201
    words = f"The image tag 'v1' already exists in the '{repository}' repository and cannot be overwritten"
    for layer in (LAYER, b"another"):
        answer = docker.push(repository, "v1", layer)
        assert (answer.status, answer.error["code"]) == (400, "TAG_INVALID")
        assert answer.error["message"].startswith(words)
    docker.push(repository, "v2", b"another")
    found = docker.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v2"}])["images"][0]
    with pytest.raises(docker.ecr.exceptions.ImageTagAlreadyExistsException, match=words):
        docker.ecr.put_image(repositoryName=repository, imageManifest=found["imageManifest"], imageTag="v1")
    docker.ecr.put_image(repositoryName=repository, imageManifest=found["imageManifest"], imageTag="also-v2")


def test_an_image_is_described_with_the_size_of_its_layers(docker: Docker, repository: str) -> None:
    before = time.time()
    digest = docker.push(repository, "v1").headers["docker-content-digest"]
    (details,) = docker.ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert before - 1 <= details.pop("imagePushedAt").timestamp() <= time.time() + 1
    assert details == {
        "registryId": "000000000000",
        "repositoryName": repository,
        "imageDigest": digest,
        "imageTags": ["v1"],
        "imageSizeInBytes": len(LAYER),
        "imageManifestMediaType": DOCKER_MANIFEST,
        "artifactMediaType": "application/vnd.docker.container.image.v1+json",
    }
    docker.call("GET", f"/v2/{repository}/manifests/v1")
    (details,) = docker.ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert details["lastRecordedPullTime"] >= details["imagePushedAt"]


def test_an_index_is_as_big_as_its_biggest_image_which_it_protects(docker: Docker, repository: str) -> None:
    children = []
    for size in (10, 300):
        digest = docker.push(repository, f"of-{size}", b"x" * size).headers["docker-content-digest"]
        children.append({"mediaType": DOCKER_MANIFEST, "digest": digest, "size": 500})
    index = {"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests": children}
    assert docker.put_manifest(repository, "all", index).status == 201
    (details,) = docker.ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "all"}])["imageDetails"]
    assert details["imageSizeInBytes"] == 300
    answer = docker.ecr.batch_delete_image(
        repositoryName=repository, imageIds=[{"imageDigest": children[0]["digest"]}, {"imageTag": "nobody"}]
    )
    codes = [failure["failureCode"] for failure in answer["failures"]]
    assert codes == ["ImageReferencedByManifestList", "ImageNotFound"]
    index["manifests"] = [{**children[0], "digest": digest_of(b"nobody")}]
    assert docker.put_manifest(repository, "bad", index).status == 404


def test_a_manifest_without_its_layers_is_refused(docker: Docker, repository: str) -> None:
    missing = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": digest_of(b"?"), "size": 1}
    manifest = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": missing, "layers": []}
    answer = docker.put_manifest(repository, "v1", manifest)
    assert (answer.status, answer.error["code"]) == (404, "BLOB_UNKNOWN")
    with pytest.raises(docker.ecr.exceptions.LayersNotFoundException):
        docker.ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest))


def test_images_are_listed_filtered_and_in_pages(docker: Docker, repository: str) -> None:
    for number in range(5):
        docker.push(repository, f"v{number}", b"%d" % number)
    docker.push(repository, "v0", b"4th")  # takes the tag from the first
    ecr = docker.ecr
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=repository, PaginationConfig={"PageSize": 2})
    assert [len(page["imageDetails"]) for page in pages] == [2, 2, 2]
    untagged = ecr.list_images(repositoryName=repository, filter={"tagStatus": "UNTAGGED"})["imageIds"]
    assert [set(image_id) for image_id in untagged] == [{"imageDigest"}]
    tagged = ecr.list_images(repositoryName=repository, filter={"tagStatus": "TAGGED"})["imageIds"]
    assert sorted(image_id["imageTag"] for image_id in tagged) == ["v0", "v1", "v2", "v3", "v4"]
    words = (
        "The image with imageId {imageDigest:'null', imageTag:'v9'} does not exist within the repository with name "
        f"'{repository}' in the registry with id '000000000000'"
    )
    with pytest.raises(ecr.exceptions.ImageNotFoundException) as refused:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v9"}])
    assert refused.value.response["Error"]["Message"] == words


def test_a_tag_is_deleted_alone_and_an_image_with_its_last_tag(docker: Docker, repository: str) -> None:
    ecr = docker.ecr
    docker.push(repository, "v1")
    manifest = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"][0][
        "imageManifest"
    ]
    ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag="v2")
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag="v2")
    assert ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["failures"] == []
    assert ecr.describe_images(repositoryName=repository)["imageDetails"][0]["imageTags"] == ["v2"]
    with pytest.raises(ecr.exceptions.RepositoryNotEmptyException):
        ecr.delete_repository(repositoryName=repository)
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v2"}])
    assert ecr.describe_images(repositoryName=repository)["imageDetails"] == []
    ecr.delete_repository(repositoryName=repository)


def test_an_upload_goes_on_after_a_kill_where_it_was(cloud: LocalCloud, docker: Docker, repository: str) -> None:
    content = os.urandom(3_000_000)
    login = docker.login()
    place = docker.call("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
    docker.call("PATCH", place, content[:1_000_000])
    upload = docker.ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    part = {"repositoryName": repository, "uploadId": upload}
    big = os.urandom(6_000_000)
    docker.ecr.upload_layer_part(**part, partFirstByte=0, partLastByte=5_999_999, layerPartBlob=big)
    pid = cloud.get("/_local_cloud/health")["pid"]
    os.kill(pid, signal.SIGKILL)
    while not is_gone(pid):
        time.sleep(0.01)
    cloud.start()
    assert docker.call("GET", place, authorization=login).headers["range"] == "0-999999"
    assert docker.call("PATCH", place, content[1_000_000:], Content_Range="1000000-2999999").status == 202
    assert docker.call("PUT", f"{place}?digest={digest_of(content)}", b"").status == 201
    with pytest.raises(ClientError, match="InvalidLayerPartException"):
        docker.ecr.upload_layer_part(**part, partFirstByte=1, partLastByte=2, layerPartBlob=b"xx")
    docker.ecr.upload_layer_part(**part, partFirstByte=6_000_000, partLastByte=6_000_001, layerPartBlob=b"xx")
    docker.ecr.complete_layer_upload(**part, layerDigests=[digest_of(big + b"xx")])


def test_a_layer_with_another_digest_is_refused_and_forgotten(docker: Docker, repository: str) -> None:
    place = docker.call("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
    docker.call("PATCH", place, b"content")
    answer = docker.call("PUT", f"{place}?digest={digest_of(b'other')}", b"")
    assert (answer.status, answer.error["code"]) == (400, "DIGEST_INVALID")
    assert docker.call("GET", place).status == 404
    assert docker.call("HEAD", f"/v2/{repository}/blobs/{digest_of(b'content')}").status == 404


def test_a_layer_of_the_api_can_be_downloaded_at_its_url(docker: Docker, repository: str) -> None:
    layer = push_blob(docker.ecr, repository, LAYER)
    url = docker.ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=layer["digest"])["downloadUrl"]
    path = url.removeprefix(docker.cloud.url)
    assert docker.call("GET", path, authorization=None).body == LAYER
    other = push_blob(docker.ecr, repository, b"another")["digest"]
    assert docker.call("GET", path.replace(layer["digest"], other), authorization=None).status == 401
    password = base64.b64encode(f"AWS:{path.partition('token=')[2]}".encode()).decode()
    assert docker.call("GET", "/v2/", authorization=f"Basic {password}").status == 401


def test_paths_that_mean_nothing_are_refused_not_failed_at(docker: Docker, repository: str) -> None:
    paths = ["blobs/sha256:..%2F..%2Fecr.sqlite3", "blobs/uploads/nobody", "manifests/%00", "manifests/" + "x" * 5000]
    for path in paths:
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            answer = docker.call(method, f"/v2/{repository}/{path}", b'{"layers": [{"digest": 1, "size": 1e400}]}')
            assert answer.status in (400, 404, 405, 413), (method, path)


def test_a_large_layer_is_never_whole_in_memory(cloud: LocalCloud, docker: Docker, repository: str) -> None:
    piece, pieces = os.urandom(1 << 20), 256
    digest = hashlib.sha256()

    def content() -> Any:
        for _ in range(pieces):
            digest.update(piece)
            yield piece

    place = docker.call("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
    assert docker.call("PATCH", place, content()).status == 202
    name = f"sha256:{digest.hexdigest()}"
    assert docker.call("PUT", f"{place}?digest={name}", b"").status == 201
    assert len(docker.call("GET", f"/v2/{repository}/blobs/{name}").body) == pieces << 20
    status = Path(f"/proc/{cloud.get('/_local_cloud/health')['pid']}/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    assert peak < 150, f"the cloud used {peak} MB for a layer of {pieces} MB"
