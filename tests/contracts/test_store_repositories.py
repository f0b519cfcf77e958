"""The store's contract: where credentials for repositories come from."""

from dataclasses import replace

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import CLUSTER, ORGANIZATION, OTHER
from watchword.domain.ids import ClusterId, RepositoryCredentialId
from watchword.domain.repositorycredentials import RepositoryCredential, Source
from watchword.store.base import EVERYTHING, Duplicate

ONE = RepositoryCredential(
    ORGANIZATION,
    RepositoryCredentialId("credential-1"),
    CLUSTER,
    "git.example.com/acme/*",
    ("git.example.com/libs/*",),
    Source.GITHUB_APP,
    "",
    "12345",
    "",
    "https://api.github.com",
    "contents: read",
    "- pipeline_slug: app",
    "words",
    b"sealed",
    5,
    None,
    5,
)


def test_a_source_is_kept_whole_and_its_cluster_counts_it(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.accounts.add_cluster(make.cluster()))
    shelf.write(lambda tx: tx.repositories.add(ONE))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.repositories.add(replace(ONE, id=RepositoryCredentialId("credential-2"))))
    wide = replace(ONE, id=RepositoryCredentialId("credential-3"), pattern="a.example.com/*")
    for each in (
        wide,
        replace(ONE, organization_id=OTHER),
        replace(wide, id=RepositoryCredentialId("x"), cluster_id=ClusterId("c-2")),
    ):
        shelf.write(lambda tx: tx.repositories.add(each))  # noqa: B023 - called at once
    assert shelf.read(lambda tx: tx.repositories.find(ORGANIZATION, ONE.id)) == ONE
    assert shelf.read(lambda tx: tx.repositories.find(OTHER, wide.id)) is None
    assert list(shelf.read(lambda tx: tx.repositories.list(ORGANIZATION, CLUSTER, EVERYTHING))) == [wide, ONE]
    found = shelf.read(lambda tx: tx.accounts.cluster(ORGANIZATION, CLUSTER))
    assert found is not None
    assert found.repository_credentials == 2
    assert shelf.write(lambda tx: tx.repositories.note_use(ORGANIZATION, ONE.id, 9)) is True
    assert shelf.read(lambda tx: tx.repositories.find(ORGANIZATION, ONE.id)) == replace(ONE, last_used_at=9)
    assert shelf.write(lambda tx: tx.repositories.delete(ORGANIZATION, ClusterId("c-2"), ONE.id)) is False
    assert shelf.write(lambda tx: tx.repositories.delete(ORGANIZATION, CLUSTER, ONE.id)) is True
    counted = shelf.read(lambda tx: tx.accounts.cluster(ORGANIZATION, CLUSTER))
    assert counted is not None
    assert counted.repository_credentials == 1
    shelf.write(lambda tx: tx.repositories.delete_of_cluster(ORGANIZATION, CLUSTER))
    assert list(shelf.read(lambda tx: tx.repositories.list(ORGANIZATION, CLUSTER, EVERYTHING))) == []
    assert shelf.read(lambda tx: tx.repositories.find(OTHER, ONE.id)) is not None
