"""What the templates of a service have in common, as it stands when one of them is looked at."""

from dataclasses import dataclass

from notifier.content.brand import Brand, BrandStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What a draft takes in when it becomes a version."""

    brand: Brand


@dataclass(frozen=True, slots=True)
class Sharing:
    """Finds what templates have in common."""

    brands: BrandStore

    async def of(self, service: str) -> Shared:
        """Return what the templates of a service have in common now.

        Raises:
            StoreUnavailableError: it could not be read.
        """
        return Shared(brand=(await self.brands.brand(service)).brand)
