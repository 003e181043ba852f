#!/usr/bin/env python3
"""A cloud to walk through by hand: moto speaks for EC2, each instance that runs is an OpenSSH server.

    tests/cloud.py                    # a shell in which `ci e2c`, `ci ec2` and `ci reap --aws` work
    tests/cloud.py sh -c 'ci e2c setup && ci e2c teardown'

The variables that the command gets are those of the job of a vendor, see `variables` below; what it
changes in them counts for itself. `cloud` in its PATH tells what EC2 has, and changes it:

    cloud                             # the instances, one a line
    cloud launch|stop|start|terminate [ID]
    cloud protect|free ID             # termination protection

Nothing is left when the command ends. Needs moto (CI_CORE_AWS_TOOLS, else target/aws-tools as
tests/run.sh installs it) and sshd.
"""
import base64
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = pathlib.Path(os.environ.get("CI_CORE_AWS_TOOLS", ROOT / "target/aws-tools/bin"))
# Where `ci` is.
CI = os.environ.get("CI_DIR", ROOT / "target/debug")
REGION = "eu-north-1"


def ask(endpoint, action, **parameters):
    """Asks in the query protocol of EC2; the answer is XML."""
    body = {"Action": action, "Version": "2016-11-15"}
    body |= {name.replace("_", "."): value for name, value in parameters.items()}
    scope = f"Credential=key/20260101/{REGION}/ec2/aws4_request"
    request = urllib.request.Request(
        endpoint,
        urllib.parse.urlencode(body).encode(),
        {
            "Host": f"ec2.{REGION}.amazonaws.com",
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
        },
    )
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def instances(endpoint):
    """(id, state, address, tags) of each."""
    told = ask(endpoint, "DescribeInstances")
    for part in told.split("<instanceId>")[1:]:
        address = re.search(r"<ipAddress>(.*?)</ipAddress>", part)
        tags = re.findall(r"<key>(ci-core:.*?)</key>\s*<value>(.*?)</value>", part)
        tags += [(k, v) for v, k in re.findall(r"<value>([^<]*)</value>\s*<key>(ci-core:[^<]*)</key>", part)]
        state = re.search(r"<instanceState>.*?<name>(.*?)</name>", part, re.S).group(1)
        yield part.split("<")[0], state, address and address.group(1), dict(tags)


def say(endpoint, words):
    """What `cloud` does."""
    verb, which = (words + ["", ""])[:2]
    one = {"InstanceId_1": which}
    match verb:
        case "launch":
            told = ask(endpoint, "RunInstances", ImageId="ami-12c6146b", MinCount="1", MaxCount="1")
            print(re.search(r"<instanceId>(.*?)<", told).group(1))
        case "start" | "stop" | "terminate":
            ask(endpoint, f"{verb.capitalize()}Instances", **one)
        case "protect" | "free":
            on = str(verb == "protect").lower()
            ask(endpoint, "ModifyInstanceAttribute", InstanceId=which, DisableApiTermination_Value=on)
        case "":
            for name, state, address, tags in instances(endpoint):
                print(name, state, address or "-", *(f"{key}={value}" for key, value in tags.items()))
        case _:
            sys.exit(__doc__)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Servers:
    """The OpenSSH servers, as the instances come and go."""

    def __init__(self, endpoint, here):
        self.endpoint, self.here, self.servers = endpoint, here, {}
        self.over = threading.Event()
        for name in ("user", "host"):
            keygen(here / name)
        self.config()
        self.thread = threading.Thread(target=self.turn)
        self.thread.start()

    def turn(self):
        while not self.over.wait(0.1):
            try:
                running = {it[0]: it[2] for it in instances(self.endpoint) if it[1] == "running"}
            except OSError:
                continue
            for name in set(self.servers) - set(running):
                end(self.servers.pop(name)[0])
            for name, address in running.items():
                known = self.servers.get(name)
                if known and known[2] == address:
                    continue
                server, port = known[:2] if known else self.serve(name)
                self.servers[name] = (server, port, address)
                self.config()
        for server, *_ in self.servers.values():
            end(server)

    def config(self):
        hosts = [f"Host {address}\n  HostName 127.0.0.1\n  Port {port}\n" for _, port, address in self.servers.values()]
        # An address that no machine has yet refuses connections at once.
        hosts.append("Host *\n  HostName 127.0.0.1\n  Port 1\n")
        (self.here / "ssh_config.new").write_text("".join(hosts))
        (self.here / "ssh_config.new").rename(self.here / "ssh_config")

    def serve(self, name):
        place = self.here / name
        (place / "home").mkdir(parents=True, exist_ok=True)
        # Root and other users get this one's home: what a machine has is below it.
        told = ask(self.endpoint, "DescribeInstanceAttribute", InstanceId=name, Attribute="userData")
        data = re.search(r"<userData>.*?<value>(.*?)</value>", told, re.S)
        data = base64.b64decode(data.group(1)).decode(errors="replace") if data else ""
        key = re.search(r"ed25519_private: \|\n((?:    .*\n)+)", data)
        key = re.sub(r"(?m)^    ", "", key.group(1)) if key else (self.here / "host").read_text()
        (place / "host").write_text(key)
        (place / "host").chmod(0o600)
        port = free_port()
        (place / "config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nPidFile {place}/pid\n"
            f"AuthorizedKeysFile {self.here}/user.pub\nAuthenticationMethods publickey\nUsePAM no\n"
            "StrictModes no\nPermitRootLogin prohibit-password\nMaxStartups 50:30:100\nMaxSessions 50\n"
            f"SetEnv HOME={place}/home PATH={self.here}/machine:{os.environ['PATH']}\n"
        )
        with open(place / "log", "wb") as log:
            server = subprocess.Popen(
                [sshd(), "-D", "-e", "-f", place / "config"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return server, port


def end(server):
    server.terminate()
    server.wait()


def sshd():
    return shutil.which("sshd") or "/usr/sbin/sshd"


def keygen(file):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)


def program(file, script):
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def variables(endpoint, here):
    """Those that a project has at its vendor."""
    key = base64.b64encode((here / "user").read_bytes()).decode()
    return {
        "PATH": f"{here}/bin:{CI}:{TOOLS}:{os.environ['PATH']}",
        "CLOUD": endpoint,
        "CLOUD_DIR": str(here),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret-of-nobody",
        "AWS_DEFAULT_REGION": REGION,
        "CI_JOB_ID": "4711",
        "E2C_INSTANCE_STRATEGY": "template",
        "E2C_LAUNCH_TEMPLATE_ID": re.search(
            r"<launchTemplateId>(.*?)<",
            ask(
                endpoint,
                "CreateLaunchTemplate",
                LaunchTemplateName="arm",
                LaunchTemplateData_ImageId="ami-12c6146b",
                LaunchTemplateData_InstanceType="c7g.large",
            ),
        ).group(1),
        "E2C_SSH_PRIVATE_KEY": key,
        # An instance that nobody launched for us has this key: moto prints none on its console.
        "E2C_SSH_HOST_KEY": (here / "host.pub").read_text().strip(),
        "E2C_SSH_CONFIG": str(here / "ssh_config"),
        "E2C_STATE_DIR": str(here / "state"),
        "E2C_POLL": "200ms",
    }


def main():
    if "CLOUD" in os.environ and pathlib.Path(sys.argv[0]).name == "cloud":
        return say(os.environ["CLOUD"], sys.argv[1:])
    if sys.argv[1:2] in (["-h"], ["--help"]):
        return print(__doc__)
    if not (TOOLS / "moto_server").exists():
        sys.exit(f"error: there is no `{TOOLS}/moto_server`; tests/run.sh installs it")
    here = pathlib.Path(tempfile.mkdtemp(prefix="ci-core-cloud."))
    if os.getuid() == 0:
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with open(here / "moto.log", "wb") as log:
        moto = subprocess.Popen([TOOLS / "moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    servers = None
    try:
        for _ in range(1200):
            if moto.poll() is not None:
                sys.exit((here / "moto.log").read_text())
            with socket.socket() as it:
                if it.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        program(here / "bin/cloud", "")
        (here / "bin/cloud").unlink()
        (here / "bin/cloud").symlink_to(__file__)
        # What a machine would have; it writes down what it is asked.
        program(here / "machine/docker", f'echo "docker $*" | tee -a {here}/docker.log')
        servers = Servers(endpoint, here)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        words = sys.argv[1:] or [os.environ.get("SHELL", "sh")]
        child = subprocess.Popen(
            words,
            env=os.environ | variables(endpoint, here),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        return child.wait()
    finally:
        if servers:
            servers.over.set()
            servers.thread.join()
        end(moto)
        shutil.rmtree(here, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
