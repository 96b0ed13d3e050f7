"""Settings of signing in to the console."""

from pathlib import Path

from pydantic import Field, SecretStr

from notifier.settings.reading import BaseUrl, Group, Words


class SignInSettings(Group):
    """Signing in to the console."""

    by_key: bool = Field(
        default=True,
        description="Let whoever has an API key into [the console](console.md) too, with the "
        "scopes of that key. Turn it off once there are operators.",
    )


class OpenIdSettings(Group):
    """Signing in to the console elsewhere."""

    issuer: BaseUrl | None = Field(
        None,
        description="The identity provider, as it names itself: "
        "`https://id.example.com/realms/staff`. What [the console](console.md#sign-in-elsewhere) "
        "asks for is below it at `/.well-known/openid-configuration`. Needs the extra `oidc`.",
    )
    client_id: str = Field("", description="Who notifier is there.")
    client_secret: SecretStr | None = Field(
        None, description="What notifier shows there; unset for a public client."
    )
    name: str = Field(
        "single sign-on", min_length=1, description="What the button to go there says."
    )
    scopes: Words = Field(("openid", "profile", "email"), description="What it is asked for there.")
    role_claim: str = Field(
        "groups", min_length=1, description="The claim that roles go by: a text, or a list."
    )
    roles: Words = Field(
        (),
        description="Which role goes with which value of that claim, as "
        "`notifier-admins=admin,support=operator,*=viewer`; `*` is everybody. Of several the one "
        "that may most.",
    )
    service: str = Field(
        "operators", min_length=1, description="The service of operators who come first."
    )
    every_service: bool = Field(
        default=True, description="Whether they see every service's notifications."
    )
    ca_path: Path | None = Field(
        None,
        description="A file with who signed the provider's certificate, where no system knows.",
    )
