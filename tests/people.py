"""People of the directory, for tests."""

from notifier.audience.person import Address, Profile
from notifier.notification.model import Channel, JsonValue


def an_address(
    address: str = "ada@example.org",
    channel: Channel = Channel.EMAIL,
    *,
    is_primary: bool = True,
) -> Address:
    return Address(channel=channel, address=address, is_primary=is_primary)


def a_profile(
    user_id: str = "u-7",
    *addresses: Address,
    locale: str | None = "de-AT",
    time_zone: str | None = "Europe/Vienna",
    attributes: dict[str, JsonValue] | None = None,
) -> Profile:
    return Profile(
        user_id=user_id,
        locale=locale,
        time_zone=time_zone,
        attributes={"plan": "pro"} if attributes is None else attributes,
        addresses=addresses or (an_address(),),
    )
