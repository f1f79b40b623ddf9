"""What a Lambda function needs around it on one machine, without Docker and without an account.

An AWS emulator (moto) with the table and the buckets of infra/template.yaml, the Lambda runtime interface
emulator that the SAM command line brings, and tokens. Everything is on free ports and ends with the process.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import platform
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import samcli
from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent
REGION = "ap-south-1"
ISSUER = "mandi-local"
AUDIENCE = "mandi"
START_TIMEOUT_S = 30
INVOKE_PATH = "/2015-03-31/functions/function/invocations"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port, process, what):
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended with exit code {process.returncode} before it listened")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{what} does not listen on port {port} after {START_TIMEOUT_S} s")


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(secret, tenant, role):
    """A token as `mandi token` makes it, good for an hour."""
    claims = {
        "tenant": tenant,
        "sub": f"{role}@{tenant}",
        "roles": [role],
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": int(time.time()) + 3600,
    }
    signed = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64url(signature)}"


class Process:
    """A child process whose output goes to a file, ended when the block ends."""

    def __init__(self, command, environment, name, stdin=None, stdout=None):
        self.last_output = ""
        self.log = tempfile.NamedTemporaryFile(prefix=f"{name}-", suffix=".log", delete=False)
        self.child = subprocess.Popen(
            command, env=environment, stdin=stdin, stdout=stdout or self.log, stderr=self.log
        )

    def output(self):
        return Path(self.log.name).read_text(encoding="utf-8", errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()
        self.last_output = self.output()[-4000:]
        os.unlink(self.log.name)


class Aws(Process):
    """An AWS emulator with the template's table and buckets, on the port that its launcher prints."""

    table = "mandi-local"
    documents = "mandi-local-documents"
    vectors = "mandi-local-vectors"
    bus = "mandi-local"
    captures = "mandi-local-captures"
    machines = f"arn:aws:states:{REGION}:123456789012:stateMachine:mandi-local-"

    def __init__(self):
        self.url = ""
        launcher = ROOT / "layers" / "testkit" / "src" / "moto_server.py"
        super().__init__([sys.executable, str(launcher)], self.environment(), "moto", subprocess.PIPE, subprocess.PIPE)
        port = self.child.stdout.readline().strip()
        if not port:
            raise RuntimeError("the AWS emulator did not start")
        self.url = f"http://127.0.0.1:{int(port)}"
        template = yaml_parse((ROOT / "infra" / "storage.yaml").read_text(encoding="utf-8"))
        wanted = template["Resources"]["Table"]["Properties"]
        self.client("dynamodb").create_table(
            TableName=self.table,
            BillingMode=wanted["BillingMode"],
            AttributeDefinitions=wanted["AttributeDefinitions"],
            KeySchema=wanted["KeySchema"],
        )
        for bucket in (self.documents, self.vectors):
            self.client("s3").create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        self.client("events").create_event_bus(Name=self.bus)
        self.client("firehose").create_delivery_stream(
            DeliveryStreamName=self.captures,
            ExtendedS3DestinationConfiguration={
                "RoleARN": "arn:aws:iam::123456789012:role/captures",
                "BucketARN": f"arn:aws:s3:::{self.documents}",
                "Prefix": "captures/",
            },
        )
        for definition in sorted((ROOT / "infra" / "statemachines").glob("*.asl.json")):
            # The emulator keeps executions and runs nothing: events do the tasks one by one.
            self.client("stepfunctions").create_state_machine(
                name=f"mandi-local-{definition.name.removesuffix('.asl.json')}",
                definition=definition.read_text(encoding="utf-8"),
                roleArn="arn:aws:iam::123456789012:role/machine",
            )

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="emulated",
            aws_secret_access_key="emulated",
        )

    def put_file(self, tenant, key, text):
        """Puts a file into a tenant's folder of files."""
        self.client("s3").put_object(Bucket=self.documents, Key=f"t/{tenant}/files/{key}", Body=text.encode())

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MANDI_"))}
        return kept | {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "emulated",
            "AWS_SECRET_ACCESS_KEY": "emulated",
            "AWS_ENDPOINT_URL": self.url,
            # LanceDB's own S3 client refuses plain HTTP unless it is told.
            "AWS_ALLOW_HTTP": "true",
        }


class Function(Process):
    """A function's binary under the runtime interface emulator."""

    def __init__(self, binary, environment):
        machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
        emulator = Path(samcli.__file__).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"
        self.port = free_port()
        command = [str(emulator), "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}"]
        command += ["--runtime-api-address", f"127.0.0.1:{free_port()}", "--log-level", "warn", str(binary)]
        super().__init__(command, environment, Path(binary).name)
        wait_for_port(self.port, self.child, "the runtime interface emulator")

    def invoke(self, event):
        """Sends one event, and returns the raw bytes of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request("POST", INVOKE_PATH, json.dumps(event).encode())
            return connection.getresponse().read()
        finally:
            connection.close()


def function_environment(aws, secret):
    """The variables of the template, for the emulators."""
    return aws.environment() | {
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH": "true",
        # Read by the emulator itself, in seconds.
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "120",
        "MANDI_LOG": os.environ.get("MANDI_LOG", "info"),
        "MANDI_JWT_ISSUER": ISSUER,
        "MANDI_JWT_AUDIENCE": AUDIENCE,
        "MANDI_JWT_SECRET": secret,
        "MANDI_TABLE": aws.table,
        "MANDI_BUCKET": aws.documents,
        "MANDI_MACHINES": aws.machines,
        "MANDI_EVENT_BUS": aws.bus,
        "MANDI_CAPTURE_STREAM": aws.captures,
        "MANDI_VECTORS_URI": f"s3://{aws.vectors}/tables",
        # The emulator serves one function, under the name `function`.
        "MANDI_EMBEDDING_FUNCTION": "function",
        "MANDI_PROVIDER": "none",
        "MANDI_MODELS": os.environ.get("MANDI_MODELS", str(ROOT / ".mandi" / "models")),
    }


def new_secret():
    return secrets.token_hex(32)
