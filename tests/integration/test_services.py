"""The services that other tests rely on are real, private, and leave nothing behind."""

import os
import signal
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from email.message import EmailMessage
from pathlib import Path

import asyncpg
import pika
import pytest

from tests.patience import AT_ALL_S
from tests.servers.broker_node import ProcessNode
from tests.servers.certificates import make_certificates
from tests.servers.cluster import private_cluster
from tests.servers.erlang import Programs, installed_programs
from tests.servers.errors import ServerEndedError, ServiceUnavailableError, WayClosedError
from tests.servers.postgres import Postgres, private_postgres
from tests.servers.processes import LOOPBACK, free_port, listens, wait_until
from tests.servers.rabbitmq import RabbitMq, broker_of, private_rabbitmq, vhost_of
from tests.servers.reaper import reaping
from tests.servers.smtp import Offer, SmtpServer
from tests.servers.smtp import smtp_server as running_smtp_server
from tests.servers.ways import first_open, started

QUEUE = "kept"


def publish(amqp_url: str, body: bytes) -> None:
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        persistent = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish("", QUEUE, body, properties=persistent, mandatory=True)


def take(amqp_url: str) -> bytes | None:
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        body: bytes | None = connection.channel().basic_get(QUEUE, auto_ack=True)[2]
        return body


class TestRabbitMq:
    def test_a_published_message_is_consumed(self, amqp_url: str) -> None:
        publish(amqp_url, b"hello")

        assert take(amqp_url) == b"hello"
        assert take(amqp_url) is None

    def test_virtual_hosts_are_apart(self, rabbitmq: RabbitMq) -> None:
        with rabbitmq.vhost() as one, rabbitmq.vhost() as other:
            publish(one, b"mine")

            assert vhost_of(one) != vhost_of(other)
            assert rabbitmq.management.call("GET", "queues", vhost_of(other)) == []

    def test_messages_can_be_moved_in_the_management_page(self, rabbitmq: RabbitMq) -> None:
        assert "rabbitmq_shovel_management" in rabbitmq.ctl("eval", "rabbit_plugins:active().")
        assert "test-" not in rabbitmq.ctl("list_vhosts")

    def test_a_killed_node_comes_back_with_its_messages(
        self, rabbitmq: RabbitMq, amqp_url: str
    ) -> None:
        publish(amqp_url, b"durable")

        rabbitmq.kill()
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            take(amqp_url)
        rabbitmq.start()

        assert take(amqp_url) == b"durable"

    def test_rabbitmqctl_says_what_it_does_not_like(self, rabbitmq: RabbitMq) -> None:
        with pytest.raises(RuntimeError, match="no_such_command"):
            rabbitmq.ctl("no_such_command")

    def test_a_broker_that_is_given_is_used(
        self, rabbitmq: RabbitMq, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NOTIFIER_TEST_BROKER_URL", rabbitmq.amqp_url)
        monkeypatch.setenv("NOTIFIER_TEST_BROKER_MANAGEMENT_URL", rabbitmq.management_url)

        with private_rabbitmq() as given, given.vhost() as url:
            publish(url, b"hello")

            assert take(url) == b"hello"
            for forbidden in (given.kill, given.start, given.ctl):
                with pytest.raises(ServiceUnavailableError, match="NOTIFIER_TEST_BROKER_URL"):
                    forbidden()

    def test_a_given_broker_that_does_not_answer_is_named(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NOTIFIER_TEST_BROKER_URL", "amqp://guest:guest@127.0.0.1:1/")

        with pytest.raises(ServiceUnavailableError, match="does not answer"), private_rabbitmq():
            pass

    def test_an_installation_that_is_named_is_used_with_the_erlang_on_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home, erlang = tmp_path / "rabbitmq_server-4.1.0", tmp_path / "erlang" / "bin"
        server, epmd = home / "sbin" / "rabbitmq-server", erlang / "epmd"
        for program in (server, epmd):
            program.parent.mkdir(parents=True)
            program.touch(mode=0o755)
        monkeypatch.setenv("NOTIFIER_TEST_RABBITMQ", str(home))
        monkeypatch.setenv("PATH", f"{erlang}:{os.environ['PATH']}")

        programs = installed_programs()

        assert (programs.folder, programs.epmd) == (server.parent, epmd)
        assert programs.path.startswith(f"{erlang}:")

    @pytest.mark.parametrize("opened", [private_rabbitmq, private_cluster])
    def test_a_named_installation_that_is_none_is_no_reason_to_take_another(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        opened: Callable[[], AbstractContextManager[object]],
    ) -> None:
        monkeypatch.setenv("NOTIFIER_TEST_RABBITMQ", str(tmp_path))

        with pytest.raises(ServiceUnavailableError, match="names no RabbitMQ"), opened():
            pass

    def test_a_node_that_ends_by_itself_is_not_waited_for_and_says_why(
        self, tmp_path: Path
    ) -> None:
        server = tmp_path / "rabbitmq-server"
        server.write_text("#!/bin/sh\necho no such setting\nexit 3\n")
        server.chmod(0o755)
        programs = Programs(folder=tmp_path, epmd=Path(os.devnull), path=os.defpath)

        with reaping() as reaper:
            node = ProcessNode(
                programs,
                reaper,
                name="refusing@localhost",
                folder=tmp_path,
                home=tmp_path,
                epmd_port=free_port(),
                memory_mb=512,
                conf="",
            )
            node.start()
            with pytest.raises(
                ServerEndedError, match=r"^refusing@localhost .*\(3\): no such setting"
            ):
                broker_of(LOOPBACK, node.amqp_port, node.management_port, "password", node)


async def execute(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


class TestPostgres:
    async def test_a_database_is_empty_and_takes_sql(self, postgres_url: str) -> None:
        await execute(postgres_url, "CREATE TABLE kept (n int)")
        await execute(postgres_url, "INSERT INTO kept VALUES (7)")

        assert await execute(postgres_url, "SELECT n FROM kept") == 7
        assert await execute(postgres_url, "SELECT count(*) FROM pg_stat_user_tables") == 1

    async def test_a_template_is_prepared_once(self, postgres: Postgres) -> None:
        prepared: list[str] = []
        for _ in range(2):
            template = postgres.create_template("prepared", prepared.append)
            with postgres.database(template) as url:
                assert await execute(url, "SELECT 1") == 1

        assert len(prepared) == 1

    @pytest.mark.parametrize("end", [Postgres.stop, Postgres.kill])
    async def test_what_was_committed_survives_a_restart(
        self, postgres: Postgres, postgres_url: str, end: Callable[[Postgres], None]
    ) -> None:
        await execute(postgres_url, "CREATE TABLE kept AS SELECT 7 AS n")

        end(postgres)
        with pytest.raises(OSError, match="Connect"):
            await execute(postgres_url, "SELECT 1")
        postgres.start()

        assert await execute(postgres_url, "SELECT n FROM kept") == 7

    async def test_a_durable_server_waits_for_the_disk(self) -> None:
        with private_postgres(durable=True) as server:
            assert await execute(server.admin_url, "SHOW fsync") == "on"

    async def test_a_server_that_is_given_is_used(
        self, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NOTIFIER_TEST_DATABASE_URL", postgres.admin_url)

        with private_postgres() as given, given.database() as url:
            assert await execute(url, "SELECT 1") == 1
            with pytest.raises(ServiceUnavailableError, match="NOTIFIER_TEST_DATABASE_URL"):
                given.kill()


def mail(**headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"From": "a@example.org", "To": "b@example.org", **headers}.items():
        message[name] = value
    message.set_content("hello")
    return message


def send(server: SmtpServer, *recipients: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(server.host, server.port, timeout=AT_ALL_S) as client:
        return client.send_message(mail(), "a@example.org", list(recipients or ("b@example.org",)))


class TestSmtp:
    def test_what_was_sent_is_received(self, smtp_server: SmtpServer) -> None:
        send(smtp_server, "b@example.org", "c@example.org")

        (received,) = smtp_server.received
        assert received.mail_from == "a@example.org"
        assert received.rcpt_tos == ("b@example.org", "c@example.org")
        assert received.content.endswith(b"hello\r\n")
        assert not received.over_tls

    def test_one_recipient_is_refused(self, smtp_server: SmtpServer) -> None:
        smtp_server.answer("RCPT", "550 5.1.1 no such user", recipient="gone@example.org")

        refused = send(smtp_server, "b@example.org", "gone@example.org")

        assert refused == {"gone@example.org": (550, b"5.1.1 no such user")}
        assert smtp_server.received[0].rcpt_tos == ("b@example.org",)

    def test_a_rule_is_spent(self, smtp_server: SmtpServer) -> None:
        smtp_server.answer("MAIL", "451 4.3.0 later", times=1)

        with pytest.raises(smtplib.SMTPSenderRefused):
            send(smtp_server)

        assert send(smtp_server) == {}

    def test_data_is_refused(self, smtp_server: SmtpServer) -> None:
        smtp_server.answer("DATA", "554 5.7.1 spam")

        with pytest.raises(smtplib.SMTPDataError, match="spam"):
            send(smtp_server)

        assert smtp_server.received == []
        smtp_server.reset()
        send(smtp_server)
        assert len(smtp_server.received) == 1

    def test_the_answer_is_late(self, smtp_server: SmtpServer) -> None:
        smtp_server.delay("DATA", 30)

        client = smtplib.SMTP(smtp_server.host, smtp_server.port, timeout=0.2)
        with client, pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
            client.send_message(mail())

    def test_the_connection_drops_before_the_final_dot(self, smtp_server: SmtpServer) -> None:
        smtp_server.drop("before_dot", recipient="b@example.org")

        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            send(smtp_server)

        assert smtp_server.received == []

    def test_the_connection_drops_after_the_final_dot(self, smtp_server: SmtpServer) -> None:
        smtp_server.drop("after_dot")

        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            send(smtp_server)

        assert len(smtp_server.received) == 1

    def test_starttls_and_auth_are_not_offered_unasked(self, smtp_server: SmtpServer) -> None:
        with smtplib.SMTP(smtp_server.host, smtp_server.port) as client:
            client.ehlo()

            assert not client.has_extn("starttls")
            assert not client.has_extn("auth")
            assert client.has_extn("smtputf8")

    def test_smtputf8_can_be_withheld(self) -> None:
        with (
            running_smtp_server(Offer(smtputf8=False)) as server,
            smtplib.SMTP(server.host, server.port) as client,
        ):
            client.ehlo()

            assert not client.has_extn("smtputf8")

    def test_a_user_logs_in_over_tls(self, tmp_path: Path) -> None:
        certificates = make_certificates(tmp_path)
        offer = Offer(tls=certificates.server_context(), credentials={"ada": "secret"})

        with (
            running_smtp_server(offer) as server,
            smtplib.SMTP(server.host, server.port) as client,
        ):
            client.starttls(context=certificates.client_context())
            with pytest.raises(smtplib.SMTPSenderRefused, match="530"):
                client.send_message(mail())
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("ada", "wrong")
            client.login("ada", "secret")
            client.send_message(mail())

            assert server.received[0].over_tls
            assert server.received[0].user == "ada"

    def test_a_client_that_does_not_trust_the_authority_leaves(self, tmp_path: Path) -> None:
        offer = Offer(tls=make_certificates(tmp_path).server_context(), require_tls=True)

        with (
            running_smtp_server(offer) as server,
            smtplib.SMTP(server.host, server.port) as client,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            client.starttls(context=ssl.create_default_context())


class TestNothingLeaks:
    def test_what_was_started_ends_when_its_owner_is_killed(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(folder)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert owner.stdout is not None
        started_pid = int(owner.stdout.readline())

        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
        owner.stdout.close()

        wait_until(lambda: not folder.exists(), timeout_s=AT_ALL_S, what="the folder gone")
        assert not runs(started_pid)

    def test_a_group_that_ignores_the_first_signal_is_killed(self) -> None:
        with reaping() as reaper:
            process = reaper.start(["sleep", "60"], ending=("CONT", "KILL"), grace_s=0.1)

        assert process.returncode == -signal.SIGKILL


OWNER = """
import sys, time, pathlib
from tests.servers.reaper import reaping
with reaping() as reaper:
    reaper.remove(pathlib.Path(sys.argv[1]))
    reaper.run("nothing", ["true"])
    print(reaper.start(["sleep", "60"]).pid, flush=True)
    time.sleep(60)
"""


def runs(pid: int) -> bool:
    """Whether the process does anything: one that nobody collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestWays:
    def test_when_all_are_closed_one_line_says_what_to_install(self) -> None:
        def closed() -> AbstractContextManager[None]:
            raise WayClosedError("nothing here")

        with (
            pytest.raises(ServiceUnavailableError, match=r"^Install it \(nothing here\)\.$"),
            first_open([closed], install="Install it"),
        ):
            pass

    def test_a_server_that_ended_by_itself_is_started_again(self) -> None:
        attempts = iter([ServerEndedError("its port was taken"), None])

        def ends_once() -> AbstractContextManager[None]:
            if error := next(attempts):
                raise error
            return nullcontext()

        with started(ends_once):
            assert next(attempts, "none is left") == "none is left"

    def test_a_server_that_never_gets_ready_is_started_three_times(self) -> None:
        attempts = []

        def never_ready() -> AbstractContextManager[None]:
            attempts.append(1)
            wait_until(lambda: listens("127.0.0.1", 1), timeout_s=0, what="it ready")
            return nullcontext()

        with pytest.raises(TimeoutError, match="it ready"), started(never_ready):
            pass

        assert len(attempts) == 3
