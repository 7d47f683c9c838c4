"""At a sign-in a password is hashed anew when it was hashed otherwise than today."""

import asyncio
from uuid import UUID

import pytest
from msgspec import Struct
from passlib import hash as schemes

from commands.errors import InvalidCredentials
from commands.reads import Reads
from commands.register_user import RegisterUser
from commands.secrets import PASSWORD as KIND
from commands.sign_in import SignIn
from commands.unit import Unit
from tests.muster import PASSWORD

pytestmark = pytest.mark.real_hashes

TODAYS = b"$argon2id$v=19$m=19456,t=2,p=1$"
IMPORTED = {
    "weaker argon2id": schemes.argon2.using(type="ID", memory_cost=8192, time_cost=1, parallelism=1).hash(PASSWORD),
    "bcrypt": schemes.bcrypt.using(rounds=4).hash(PASSWORD),
    "scrypt": schemes.scrypt.using(rounds=12).hash(PASSWORD),
    "PBKDF2": schemes.pbkdf2_sha256.using(rounds=1000).hash(PASSWORD),
    "Django's PBKDF2": schemes.django_pbkdf2_sha256.using(rounds=1000).hash(PASSWORD),
}


class Import(Struct, frozen=True):
    """Keep a hash that was made elsewhere."""

    user_id: UUID
    hashed: str

    async def perform(self, unit: Unit) -> None:
        kept = await unit.secret(self.user_id, KIND)
        assert kept is not None
        await unit.keep_secret(self.user_id, KIND, self.user_id, self.hashed.encode(), kept.revision)


async def kept(muster, user_id):
    return await Reads(muster.pool, muster.database.keys).secret(user_id, KIND)


@pytest.mark.parametrize("hashed", IMPORTED.values(), ids=IMPORTED)
async def test_the_first_sign_in_replaces_the_hash_and_the_next_one_keeps_it(muster, hashed):
    user_id = await muster.registered()
    await muster.ask(Import(user_id, hashed))
    before = await kept(muster, user_id)
    await muster.ask(SignIn("ada@example.com", PASSWORD))
    after = await kept(muster, user_id)
    assert after.plain.startswith(TODAYS)
    assert after.revision == before.revision + 1
    await muster.ask(SignIn("ada@example.com", PASSWORD))
    assert await kept(muster, user_id) == after


async def test_sign_ins_at_once_replace_it_once(muster):
    user_id = await muster.registered()
    await muster.ask(Import(user_id, IMPORTED["weaker argon2id"]))
    before = await kept(muster, user_id)
    sign_ins = await asyncio.gather(*(muster.ask(SignIn("ada@example.com", PASSWORD)) for _ in range(5)))
    assert len({signed_in.session_id for signed_in in sign_ins}) == 5
    assert (await kept(muster, user_id)).revision == before.revision + 1


async def test_who_is_not_let_in_replaces_nothing(muster):
    user_id = await muster.registered()
    await muster.ask(Import(user_id, IMPORTED["scrypt"]))
    unproved = (await muster.ask(RegisterUser("bob@example.com", PASSWORD))).user_id
    await muster.ask(Import(unproved, IMPORTED["scrypt"]))
    before = await kept(muster, user_id), await kept(muster, unproved)
    for email, password in (("ada@example.com", "not the password"), ("bob@example.com", PASSWORD)):
        with pytest.raises(InvalidCredentials):
            await muster.ask(SignIn(email, password))
    assert (await kept(muster, user_id), await kept(muster, unproved)) == before
