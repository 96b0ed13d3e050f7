"""What people come into the console by, put together."""

from dataclasses import dataclass

from notifier.access.invitations import Invitations
from notifier.access.openid import Journeys
from notifier.access.sessions import SessionSecrets
from notifier.access.signing_in import PasswordDesk
from notifier.access.throttling import Devices, Throttle
from notifier.api.console.door import Door
from notifier.api.console.entering import Entrance
from notifier.api.console.layout import Layout
from notifier.api.console.letting_in import Hall
from notifier.api.console.signing_on import SigningOn
from notifier.api.console.welcoming import Welcome
from notifier.api.kit.access import Doorkeeper
from notifier.api.kit.auditing import Auditor
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.rooms import ConcurrencyLimit
from notifier.api.ports import ApiPorts


@dataclass(frozen=True, slots=True)
class Gates:
    """Where one signs in and out, and where those go who were invited."""

    entrance: Entrance
    signing_on: SigningOn
    welcome: Welcome


def make_gates(
    ports: ApiPorts, config: ApiConfig, layout: Layout, doorkeeper: Doorkeeper, auditor: Auditor
) -> Gates:
    """Make them for an API."""
    access = ports.access
    guessing = ConcurrencyLimit(1, config.max_waiting_passwords, config.read_patience_s)
    door = Door(
        doorkeeper=doorkeeper,
        secrets=SessionSecrets(config.pepper),
        sessions=access.sessions,
        devices=Devices(config.pepper),
        clock=ports.clock,
    )
    entrance = Entrance(
        door=door,
        hall=_hall(ports, config, layout, door),
        layout=layout,
        desk=_desk(ports, config),
        guessing=guessing,
        auditor=auditor,
    )
    signing_on = SigningOn(
        elsewhere=access.elsewhere,
        hall=entrance.hall,
        journeys=Journeys(config.pepper),
        asking=guessing,
        auditor=auditor,
        clock=ports.clock,
    )
    return Gates(entrance, signing_on, _welcome(ports, config, layout, guessing, auditor))


def _hall(ports: ApiPorts, config: ApiConfig, layout: Layout, door: Door) -> Hall:
    elsewhere = ports.access.elsewhere
    return Hall(
        door=door,
        layout=layout,
        operators=ports.access.operators,
        takes_keys=config.signs_in_by_key,
        elsewhere=elsewhere.provider.name if elsewhere else "",
    )


def _desk(ports: ApiPorts, config: ApiConfig) -> PasswordDesk:
    access = ports.access
    return PasswordDesk(
        operators=access.operators,
        passwords=access.passwords,
        throttle=Throttle(access.failures, config.pepper),
    )


def _welcome(
    ports: ApiPorts,
    config: ApiConfig,
    layout: Layout,
    hashing: ConcurrencyLimit,
    auditor: Auditor,
) -> Welcome:
    return Welcome(
        layout=layout,
        operators=ports.access.operators,
        passwords=ports.access.passwords,
        invitations=Invitations(config.pepper),
        hashing=hashing,
        auditor=auditor,
        clock=ports.clock,
    )
