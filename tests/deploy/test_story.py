"""The whole story on a machine that boots, in this order: from nothing to HTTPS, and back, and again.

Each test goes on where the one before ended: a fresh host for each would take an hour.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import WebSocket, expect

from tests.deploy.conftest import Member, figures
from tests.deploy.front import processes
from tests.deploy.polling import Polling
from tests.deploy.world import World
from tests.integration.people import Counter
from tests.integration.verbs import wait_until
from tests.signin.researcher import Researcher

LOGIN = "www_custom/hub/templates/login.html"
COUNT = "import time\nfor number in range(10**6):\n    print(number, flush=True)\n    time.sleep(0.1)"


# The burst of ansible/roles/jupyterhub/defaults is 300; 5 a second come back.
FLOOD = """
import http.client, ssl
context = ssl._create_unverified_context()
class Known(http.client.HTTPSConnection):
    def connect(self):
        http.client.HTTPConnection.connect(self)
        self.sock = context.wrap_socket(self.sock, server_hostname="{0}")
for _ in range(600):
    connection = Known("127.0.0.1", source_address=("127.0.0.2", 0))
    connection.request("GET", "/hub/oauth_nothing", headers={{"Host": "{0}"}})
    print(connection.getresponse().status)
"""
BACKUPS = "cd /srv/{}/shared/backups/ && find . -name '*.tar' -printf '%u %m %p\\n' | sort"


def served_serial(world: World) -> str:
    """Return the serial number of the certificate that the front shows."""
    show = f"openssl s_client -connect 127.0.0.1:443 -servername {world.domains['hub']} </dev/null 2>/dev/null"
    return world.host.machine.as_root(f"{show} | openssl x509 -noout -serial")


def note(what: str, seconds: float) -> None:
    """Keep how long something took."""
    line = f"{what}: {seconds:.1f} s"
    print(line)
    with figures().open("a") as file:
        file.write(f"{line}\n")


@pytest.fixture(scope="module")
def ada(world: World) -> Member:
    """Somebody whose server runs all the while."""
    return Member(world, "hub", "ada@example.org").in_server()


@pytest.fixture(scope="module")
def counting(ada: Member) -> Iterator[Counter]:
    """Her kernel, which prints numbers, and the websocket that listens to it through front and proxy."""
    counter = Counter(ada)
    yield counter
    counter.close()


def test_says_what_it_would_do(world: World) -> None:
    done = world.clone.invoke("deploy", "--host", "hub", "--plan")
    assert "install Docker Engine" in done.output
    assert "get a certificate for hub.dropsonde.test" in done.output
    assert "no docker" in world.host.machine.as_root("command -v docker || echo no docker")


def test_from_nothing_to_https(world: World) -> None:
    done = world.clone.invoke("deploy", "--host", "hub", "--yes")
    note("deploy to a fresh machine (images at hand but the hub's)", done.seconds)
    with world.http() as http:
        page = http.get(f"{world.url('hub')}/hub/login", follow_redirects=True)
        assert page.status_code == 200
        assert "Sign in with" in page.text
        assert "max-age=31536000" in page.headers["Strict-Transport-Security"]
        plain = http.get(f"http://{world.domains['hub']}/hub/login?next=/x")
        assert plain.status_code == 301
        assert plain.headers["Location"] == f"{world.url('hub')}/hub/login?next=/x"


def test_cookies_never_leave_https(world: World) -> None:
    cookies = list(Member(world, "hub", "bob@example.org").come_in().http.cookies.jar)
    ours = [cookie for cookie in cookies if cookie.domain.endswith(world.domains["hub"])]
    assert {"_xsrf", "jupyterhub-session-id"} <= {cookie.name for cookie in ours}
    assert [cookie.name for cookie in ours if not cookie.secure] == []


SUITES = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]
# Knows every version and cipher that the host's OpenSSL has, as the client below does.
LAX_SERVER = "openssl s_server -accept 127.0.0.1:4433 -cert {0}/fullchain.pem -key {0}/privkey.pem -quiet"
LAX = "ALL:@SECLEVEL=0"


def client(world: World, options: str, *, name: str = "", port: int = 443) -> str:
    """Return the command of a TLS client, on the host, that ends well if it and a server agree on a session."""
    ask = f"openssl s_client -connect 127.0.0.1:{port} -servername {name or world.domains['hub']} {options}"
    return f"{ask} </dev/null 2>&1 | grep --quiet 'Cipher is [A-Z]'"


def agreed(world: World, options: str, *, name: str = "", port: int = 443) -> bool:
    """Return whether they agree."""
    command = client(world, options, name=name, port=port)
    return "yes" in world.host.machine.as_root(f"{command} && echo yes || true")


def test_old_tls_and_unknown_names_get_no_answer(world: World) -> None:
    folder = f"/etc/letsencrypt/live/{world.domains['hub']}"
    lax = f"{LAX_SERVER.format(folder)} -cipher {LAX}"
    world.host.machine.as_root(f"systemd-run --quiet --unit=lax {lax}")
    try:
        wait_until("it answers", lambda: agreed(world, "-tls1_3", port=4433))
        for version in ("-tls1", "-tls1_1"):
            old = f"{version} -cipher {LAX}"
            assert agreed(world, old, port=4433), f"the client does not know {version}"
            assert not agreed(world, old)
    finally:
        world.host.machine.as_root("systemctl stop lax")
    assert agreed(world, "-tls1_2")
    assert agreed(world, "-tls1_3")
    assert not agreed(world, "-tls1_3", name="elsewhere.example.org")


def test_of_the_older_tls_only_current_ciphers_are_taken(world: World) -> None:
    known = world.host.machine.as_root(f"openssl ciphers -s -tls1_2 {LAX}").strip().split(":")
    # The client could do worse: without forward secrecy, with CBC.
    assert {*SUITES, "AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-CCM8"} < set(known)
    one = client(world, "-tls1_2 -cipher $suite:@SECLEVEL=0")
    taken = world.host.machine.as_root(f"for suite in {' '.join(known)}; do if {one}; then echo $suite; fi; done")
    assert sorted(taken.split()) == SUITES


def flooded(world: World) -> list[str]:
    """Flood the sign-in, from an address of its own: nobody else of this story is counted with it."""
    flood = FLOOD.format(world.domains["hub"])
    return world.host.machine.as_root(f"python3 -c {shlex.quote(flood)}").split()


def test_the_front_limits_who_floods_the_sign_in(world: World) -> None:
    statuses = flooded(world)
    assert statuses[0] == "404"
    assert statuses[-1] == "429", set(statuses)
    with world.http() as http:
        assert http.get(f"{world.url('hub')}/hub/login").status_code == 200
    # Without that limit all are answered.
    (site,) = world.host.machine.as_root("grep -l 'limit_req zone' /etc/nginx/conf.d/*-https.conf").split()
    world.host.machine.as_root(f"cp -p {site} {site}.kept; sed -i '/limit_req zone/d' {site}; systemctl reload nginx")
    try:
        wait_until("all are answered", lambda: set(flooded(world)) == {"404"})
    finally:
        world.host.machine.as_root(f"mv {site}.kept {site}; systemctl reload nginx")


def test_the_tls_front_is_confined(world: World) -> None:
    user = world.host.machine.as_root("id --user www-data").strip()
    net_bind_service = f"{1 << 10:016x}"
    found = processes(world)
    # The first one, and a worker for each processor.
    assert len(found) >= 2
    for process in found:
        assert set(process["Uid"].split()) == {user}
        assert set(process["Gid"].split()) == {user}
        assert process["Groups"].split() in ([], [user])
        for held in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert process[held] == net_bind_service, held
        assert process["NoNewPrivs"] == "1"
        assert process["Seccomp"] == "2"


def test_the_tls_front_has_limits_and_writes_nothing_but_its_own(world: World) -> None:
    # As the kernel has them, in either version of control groups.
    names = "-name memory.max -o -name memory.limit_in_bytes -o -name pids.max"
    find = f"find /sys/fs/cgroup -path '*/nginx.service/*' \\( {names} \\) -exec cat {{}} +"
    assert set(world.host.machine.as_root(find).split()) == {str(2**30), "512"}
    # One that is killed does not end the others, and comes back.
    shown = world.host.machine.as_root("systemctl show nginx --property=OOMPolicy,Restart").split()
    assert sorted(shown) == ["OOMPolicy=continue", "Restart=on-failure"]
    first = world.host.machine.as_root("cat /run/nginx.pid").strip()
    files = world.host.machine.as_root(f"grep 'Max open files' /proc/{first}/limits").split()
    assert files[3:5] == ["4096", "4096"]
    # As its user, where it stands.
    inside = f"nsenter --target {first} --mount setpriv --reuid www-data --regid www-data --init-groups"
    places = (
        "/ /etc /etc/nginx/conf.d /tmp /var/lib/nginx /var/log /var/log/nginx /var/log/nginx/error.log /var/www/acme"
    )
    writable = f"for place in {places}; do {inside} test ! -w $place || echo $place; done"
    own = ["/tmp", "/var/lib/nginx", "/var/log/nginx/error.log"]
    assert world.host.machine.as_root(writable).split() == own
    # Nor would root there write anywhere else but in the folder of the logs.
    as_root = f"for place in {places}; do nsenter --target {first} --mount test ! -w $place || echo $place; done"
    assert world.host.machine.as_root(as_root).split() == sorted([*own, "/var/log/nginx"])


def test_the_front_reads_its_key_and_nobody_else_does(world: World) -> None:
    key = f"/etc/letsencrypt/live/{world.domains['hub']}/privkey.pem"
    shown = world.host.machine.as_root(f"stat --dereference --format='%a %U %G' {key}")
    assert shown.split() == ["640", "root", "www-data"]
    world.host.machine.as_root(f"runuser -u www-data -- test -r {key}")
    for user in ("nobody", world.names["hub"]):
        world.host.machine.as_root(f"runuser -u {user} -- test -r {key}", fails=True)


def test_the_front_goes_on_in_a_new_log(world: World) -> None:
    # What logrotate does.
    rotate = "mv access.log access.log.1; install --owner=www-data --group=adm --mode=0640 /dev/null access.log"
    world.host.machine.as_root(f"cd /var/log/nginx; {rotate}; invoke-rc.d nginx rotate")

    def is_written() -> bool:
        with world.http() as http:
            http.get(f"{world.url('hub')}/hub/health")
        return bool(world.host.machine.as_root("cat /var/log/nginx/access.log"))

    wait_until("the new log is written", is_written)


def test_private_files_are_private(world: World) -> None:
    folder = f"/srv/{world.names['hub']}"
    listed = world.host.machine.as_root(f"stat --format='%a %U %n' {folder}/shared/.env {folder}/shared/oauth.env")
    assert listed.splitlines() == [
        f"600 {world.names['hub']} {folder}/shared/.env",
        f"600 {world.names['hub']} {folder}/shared/oauth.env",
    ]
    secret = world.keys["hub"].oauth_client_secret
    readable = world.host.machine.as_root(f"runuser -u nobody -- grep -rl {secret} /srv /etc /tmp 2>/dev/null || true")
    assert readable == ""


def test_again_there_is_nothing_to_do(world: World) -> None:
    release = world.current("hub")
    done = world.clone.invoke("deploy", "--host", "hub", "--yes")
    note("deploy again, nothing to do", done.seconds)
    assert "Nothing to do: hub serves this tree." in done.output, done.output
    assert world.current("hub") == release
    done = world.clone.invoke("deploy", "--host", "hub", "--plan")
    assert "Nothing to do" in done.output


def test_check_mode_finds_nothing_to_change(world: World) -> None:
    env = {"ANSIBLE_CONFIG": str(world.clone.folder / "ansible/ansible.cfg")}
    done = world.clone.run("ansible-playbook", "ansible/site.yml", "--limit=hub", "--check", env=env)
    assert done.code == 0, done.output
    assert re.search(r"^hub\s+: ok=\d+\s+changed=0\s+unreachable=0\s+failed=0", done.output, re.MULTILINE), done.output


def test_a_new_look_is_no_downtime(world: World, ada: Member, counting: Counter) -> None:
    before = counting.wait_for_more()
    proxy = world.containers("hub", "proxy")
    text = (world.clone.folder / LOGIN).read_text()
    world.clone.write(LOGIN, text.replace("{% endblock", "<p>A new look</p>{% endblock", 1))
    token = {"Authorization": f"token {ada.token}"}
    server, pages = f"{world.url('hub')}{ada.path}/api/status", f"{world.url('hub')}/hub/login"
    with (
        world.http() as http,
        world.http() as other,
        Polling(http, server, token) as working,
        # Not the sign-in page: the front limits how often one address asks for that.
        Polling(other, f"{world.url('hub')}/hub/health") as hub,
    ):
        done = world.clone.invoke("deploy", "--host", "hub", "--yes")
    note("deploy a new look", done.seconds)
    note("of it, the hub's own pages were gone for", hub.gap)
    assert "A new look" in world.http().get(pages, follow_redirects=True).text
    assert working.failed == []
    assert {status for _, status in hub.failed} <= {503}
    assert hub.gap < done.seconds / 2, "the pages are gone while the hub is replaced, not while it is built"
    assert world.containers("hub", "proxy") == proxy
    counting.assert_unbroken()
    assert len(counting.numbers) > before


def test_a_broken_hub_never_serves(world: World, researcher: Researcher, counting: Counter) -> None:
    release, hub = world.current("hub"), world.containers("hub", "hub")
    researcher.visit("/")
    researcher.fill_in_login()
    researcher.in_lab()
    closed: list[str] = []

    def remember(socket: WebSocket) -> None:
        socket.on("close", lambda closing: closed.append(closing.url))

    researcher.page.on("websocket", remember)
    researcher.new_notebook()
    cell = researcher.run(COUNT)
    output = cell.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stdout"]')
    expect(output.first).to_contain_text("3\n")
    world.clone.write("hub/config.d/99-broken.py", "raise RuntimeError('this hub is broken')\n")
    try:
        said = world.clone.fails("deploy", "--host", "hub", "--yes", code=78)
    finally:
        world.clone.go_back()
    assert "hub/config.d/99-broken.py:1: RuntimeError: this hub is broken" in said
    assert world.current("hub") == release
    assert world.containers("hub", "hub") == hub
    assert world.host.machine.as_root("docker ps --all --quiet --filter name=-probe").strip() == ""
    count = len(output.all_text_contents()[0].split())
    expect(output.first).to_contain_text(f"\n{count + 10}\n")
    printed = output.all_text_contents()[0].split()
    assert printed == [str(number) for number in range(len(printed))]
    assert not [url for url in closed if "/channels" in url]
    expect(researcher.page.get_by_role("dialog")).to_have_count(0)
    counting.assert_unbroken()


def test_rollback(world: World, counting: Counter) -> None:
    listed = world.releases("hub")
    assert len(listed) >= 2
    done = world.clone.invoke("rollback", "--host", "hub", "--yes")
    note("rollback", done.seconds)
    assert "A new look" not in world.http().get(f"{world.url('hub')}/hub/login", follow_redirects=True).text
    counting.assert_unbroken()
    world.clone.invoke("deploy", "--host", "hub", "--yes")
    assert "A new look" in world.http().get(f"{world.url('hub')}/hub/login", follow_redirects=True).text
    counting.assert_unbroken()


def test_a_renewed_certificate_is_in_use_without_a_dropped_websocket(world: World, counting: Counter) -> None:
    before = served_serial(world)
    assert before.startswith("serial=")
    # What the timer starts, only that the certificate is not due yet.
    renewal = f"/etc/letsencrypt/renewal/{world.domains['hub']}.conf"
    world.host.machine.as_root(f"sed -i 's/^\\[renewalparams\\]/renew_before_expiry = 3000 days\\n&/' {renewal}")
    world.host.machine.as_root("systemctl start certbot.service")
    end = time.monotonic() + 30
    while served_serial(world) == before:
        assert time.monotonic() < end, world.host.machine.as_root("cat /var/log/letsencrypt/letsencrypt.log")
        time.sleep(0.2)
    world.host.machine.as_root(f"sed -i '/^renew_before_expiry/d' {renewal}")
    assert "active" in world.host.machine.as_root("systemctl is-active certbot.timer")
    counting.assert_unbroken()


def test_after_a_reboot_everything_is_back(world: World, ada: Member, counting: Counter) -> None:
    ada.write("kept.txt", "byte for byte\n" * 1000)
    counting.close()
    began = time.monotonic()
    world.host.machine.reboot()
    end = time.monotonic() + 180
    with world.http() as http:
        while True:
            try:
                if http.get(f"{world.url('hub')}/hub/health").status_code == 200:
                    break
            except OSError:
                pass
            except Exception:  # noqa: BLE001 - whatever a host says that is not up yet
                pass
            assert time.monotonic() < end, world.host.machine.as_root("systemctl status --no-pager '*' | tail -50")
            time.sleep(0.5)
    note("reboot until the hub answers", time.monotonic() - began)
    assert world.host.machine.as_root(f"systemctl is-active {world.names['hub']}").strip() in {"active", "activating"}
    again = Member(world, "hub", "ada@example.org").in_server()
    answer = again.server_api("GET", "/contents/kept.txt")
    assert answer.json()["content"] == "byte for byte\n" * 1000


KNOCK = """\
import socket, sys
for target in sys.argv[1:]:
    host, port = target.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except ConnectionRefusedError:
        pass
    except OSError:
        continue
    print(target)
"""


METADATA = "169.254.169.254"
# A machine at the other end of a cable, as the cloud's is. Where it is root's to change, a reboot takes it away.
CLOUD = f"""
ip netns add cloud
ip link add near type veth peer name far netns cloud
ip address add 10.254.77.1/30 dev near
ip link set near up
ip -n cloud address add 10.254.77.2/30 dev far
ip -n cloud address add {METADATA}/32 dev far
ip -n cloud link set far up
ip -n cloud route add default via 10.254.77.1
ip route add {METADATA}/32 via 10.254.77.2
systemd-run --quiet --unit=cloud ip netns exec cloud python3 -m http.server 80
"""


def reached(world: World, targets: list[str]) -> list[str]:
    """Return those of ADDRESS:PORT that ada reaches from her container."""
    (ada,) = world.containers("hub", "notebook", user="ada@example.org")
    return world.host.machine.as_root(f"docker exec {ada} python3 -c {shlex.quote(KNOCK)} {' '.join(targets)}").split()


@contextmanager
def without_rules(world: World) -> Iterator[None]:
    """Stop the hub's firewall and take its rules away for a while."""
    (firewall,) = world.containers("hub", "firewall")
    run = "docker run --rm --user=root --network=host --cap-drop=ALL --cap-add=NET_ADMIN"
    image = f"$(docker inspect --format '{{{{.Image}}}}' {firewall})"
    remove = f"{run} --env SERVICE_NAME={world.names['hub']} {image} python3 -m dropsonde_firewall --remove"
    world.host.machine.as_root(f"docker stop {firewall} && {remove}")
    try:
        yield
    finally:
        check = f"docker exec {firewall} python3 -m dropsonde_firewall --check && echo yes || true"
        world.host.machine.as_root(f"docker start {firewall}")
        wait_until("the rules are in force", lambda: "yes" in world.host.machine.as_root(check))


def test_people_are_kept_apart_after_the_reboot_and_after_a_restart_of_the_engine(world: World) -> None:
    Member(world, "hub", "carol@example.org").in_server()
    look = "docker inspect --format '{{range .NetworkSettings.Networks}}{{.%s}}{{end}}' "
    (bob,) = world.containers("hub", "notebook", user="carol@example.org")
    neighbour = world.host.machine.as_root(look % "IPAddress" + bob).strip()
    gateway = world.host.machine.as_root(look % "Gateway" + bob).strip()
    world.host.machine.as_root(CLOUD)
    listens = f"python3 -c {shlex.quote(KNOCK)} {METADATA}:80"
    wait_until("the cloud answers", lambda: METADATA in world.host.machine.as_root(listens))
    closed = [f"{neighbour}:8888", f"{gateway}:22", f"{world.address}:22", f"{METADATA}:80"]
    assert reached(world, [*closed, "hub:8081"]) == ["hub:8081"]
    # live-restore: their servers run on.
    world.host.machine.as_root("systemctl restart docker")
    wait_until("the engine answers", lambda: "hub" in world.host.machine.as_root("docker ps || true"))
    assert reached(world, [*closed, "hub:8081"]) == ["hub:8081"]
    # It is the rules that hold them: each of these is there to be reached.
    with without_rules(world):
        assert reached(world, closed) == closed
    assert reached(world, [*closed, "hub:8081"]) == ["hub:8081"]


def test_a_second_service_beside_it(world: World) -> None:
    ada = Member(world, "hub", "ada@example.org").come_in()
    counter = Counter(ada)
    done = world.clone.invoke("deploy", "--host", "two", "--yes")
    note("deploy a second service beside the first", done.seconds)
    carol = Member(world, "two", "carol@example.org").in_server()
    assert carol.is_running()
    counter.assert_unbroken()
    counter.close()
    with world.http() as http:
        for name in world.names:
            assert http.get(f"{world.url(name)}/hub/health").status_code == 200, name
    # Each has its own certificate, its own user and its own folder.
    owners = world.host.machine.as_root("stat --format=%U /srv/*").split()
    assert set(owners) >= set(world.names.values())


def test_teardown_takes_one_and_leaves_the_other(world: World) -> None:
    ada = Member(world, "hub", "ada@example.org").come_in()
    refused = world.clone.fails("teardown", "--host", "two")
    assert "people's homes" in refused
    assert world.containers("two", "hub")
    counter = Counter(ada)
    done = world.clone.invoke("teardown", "--host", "two", "--yes")
    note("teardown", done.seconds)
    assert world.containers("two", "hub") == []
    homes = "docker volume ls --quiet --filter label=dropsonde.service={} --filter label=dropsonde.user"
    assert world.host.machine.as_root(homes.format(world.names["two"])).strip()
    counter.assert_unbroken()
    counter.close()
    again = world.clone.invoke("teardown", "--host", "two", "--yes")
    assert "Nothing to do" in again.output
    world.clone.invoke("teardown", "--host", "two", "--volumes", "--yes")
    everything = f"docker ps -aq --filter label=dropsonde.service={world.names['two']}; docker volume ls -q --filter "
    everything += f"label=dropsonde.service={world.names['two']}; ls -d /srv/{world.names['two']} "
    everything += f"/data/backups-{world.names['two']} 2>/dev/null || true"
    assert world.host.machine.as_root(everything).strip() == ""


def test_a_rebuilt_machine_has_everybodys_files(world: World) -> None:
    before = world.host.host_keys()
    certificate, backups = served_serial(world), world.host.machine.as_root(BACKUPS.format(world.names["hub"]))
    assert backups
    world.new_host()
    assert world.host.host_keys() != before
    assert "another key" in world.clone.fails("deploy", "--host", "hub", "--plan")
    world.clone.know(world.host.host_keys())
    done = world.clone.invoke("deploy", "--host", "hub", "--yes")
    note("deploy to a rebuilt machine with its data", done.seconds)
    ada = Member(world, "hub", "ada@example.org").in_server()
    assert ada.server_api("GET", "/contents/kept.txt").json()["content"] == "byte for byte\n" * 1000
    assert served_serial(world) == certificate
    listed = world.host.machine.as_root(BACKUPS.format(world.names["hub"])).splitlines()
    assert set(listed) >= set(backups.splitlines())
    assert world.clone.invoke("deploy", "--host", "hub", "--yes").output.count("Nothing to do")


def test_nothing_of_it_is_in_git(world: World) -> None:
    secret = world.keys["hub"].oauth_client_secret
    found = subprocess.run(["git", "grep", "--quiet", secret], cwd=world.clone.folder, check=False).returncode
    assert found == 1
