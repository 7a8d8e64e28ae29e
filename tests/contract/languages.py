"""The generated clients of each language: how one is made, compiled and run.

Options are those of docs/clients.md.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tests.contract.generation import Client, credentials
from tests.contract.programs import (
    BIN,
    CLIENTS,
    DOCUMENT,
    Failed,
    Missing,
    npx,
    project,
    run,
)
from tests.contract.services import Service

# openapi-generator's own notices: the first is printed for any document in 3.1,
# the second wherever `additionalProperties` is false, the third where a language
# reserves a name and another is taken, the last of values that may be anything.
NOTICES = (
    "OpenAPI 3.1 support is still in beta",
    "Failed to get the schema name",
    "cannot be used as",
    "Default to typing.Any",
)
_PYTHON_CLIENT = """
project_name_override: krafter-attrs
package_name_override: krafter_attrs
content_type_overrides:
  application/x-ndjson: application/octet-stream
  text/plain: application/octet-stream
"""


def generate_by_jar(language: str, target: Path, *options: str) -> None:
    said = run(
        *(BIN / "openapi-generator-cli", "generate", "--generator-name", language),
        *("--input-spec", DOCUMENT, "--output", target, *options),
    )
    for line in said.splitlines():
        is_notice = any(notice in line for notice in NOTICES)
        if (" WARN " in line and not is_notice) or " ERROR " in line:
            raise Failed(f"{language}: {line}")


def by_jar(language: str, *options: str) -> Callable[[Path], object]:
    return lambda folder: generate_by_jar(language, folder / "made", *options)


# Python


def generate_attrs(folder: Path) -> None:
    (folder / "config.yml").write_text(_PYTHON_CLIENT)
    run(
        *(BIN / "openapi-python-client", "generate", "--fail-on-warning"),
        *("--path", DOCUMENT, "--output-path", folder / "made"),
        *("--config", folder / "config.yml"),
        environment={"PATH": f"{BIN}:{os.environ['PATH']}"},
    )


_IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    importlib.import_module(module.name)
"""


def load_python(package: str) -> Callable[[Path], object]:
    return lambda folder: run(
        *(sys.executable, "-c", _IMPORT_ALL, package),
        environment={"PYTHONPATH": str(folder / "made")},
    )


def run_python(script: str) -> Callable[[Path, Service], str]:
    return lambda folder, api: run(
        sys.executable,
        CLIENTS / script,
        environment={
            **credentials(api),
            "PYTHONPATH": str(folder / "made"),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


# TypeScript


def generate_types(folder: Path) -> None:
    project(folder, "openapi_typescript.ts")
    target = "openapi-typescript/schema.d.ts"
    npx(folder, "openapi-typescript", DOCUMENT, "--output", target)


def generate_hey_api(folder: Path) -> None:
    project(folder, "hey_api.ts")
    npx(folder, "openapi-ts", "--input", DOCUMENT, "--output", "hey-api")


def generate_orval(folder: Path) -> None:
    project(folder, "orval.ts")
    for client, target in (("fetch", "orval/api.ts"), ("zod", "orval/zod.ts")):
        options = ("--input", DOCUMENT, "--output", target, "--client", client)
        npx(folder, "orval", *options)


def generate_fetch(folder: Path) -> None:
    project(folder, "typescript_fetch.ts")
    generate_by_jar(
        "typescript-fetch",
        folder / "typescript-fetch",
        "--additional-properties=importFileExtension=.js,stringEnums=false",
    )


def compile_typescript(folder: Path) -> None:
    npx(folder, "tsc")


def run_node(script: str) -> Callable[[Path, Service], str]:
    return lambda folder, api: run(
        "node", f"out/{script}", cwd=folder, environment=credentials(api)
    )


# Go, with the libraries in Debian's GOPATH rather than from the module proxy


def compile_go(folder: Path) -> None:
    packages = folder / "src"
    made = packages / "krafter"
    packages.mkdir()
    (folder / "made").rename(made)
    shutil.rmtree(made / "test")
    (packages / "contract").mkdir()
    shutil.copy(CLIENTS / "openapi_generator.go", packages / "contract" / "main.go")
    environment = {"GO111MODULE": "off", "GOPATH": f"{folder}:/usr/share/gocode"}
    run("go", "vet", "krafter", "contract", cwd=folder, environment=environment)
    run("go", "build", "-o", "client", "contract", cwd=folder, environment=environment)


def run_go(folder: Path, api: Service) -> str:
    return run(folder / "client", environment=credentials(api))


# Ruby and PHP: as Python, loaded rather than compiled, every file of what was made


def load_ruby(folder: Path) -> None:
    load = "Dir[ARGV[0]].each { |file| require file }"
    library = folder / "made" / "lib"
    run("ruby", "-I", library, "-e", load, f"{library}/**/*.rb")


def run_ruby(folder: Path, api: Service) -> str:
    library = folder / "made" / "lib"
    script = CLIENTS / "openapi_generator.rb"
    return run("ruby", "-I", library, script, environment=credentials(api))


def check_php(folder: Path) -> None:
    for file in (folder / "made" / "lib").rglob("*.php"):
        run("php", "-l", file)


def run_php(folder: Path, api: Service) -> str:
    script = CLIENTS / "openapi_generator.php"
    made = {"CONTRACT_CLIENT": str(folder / "made")}
    return run("php", script, environment=made | credentials(api))


# Java: Jackson is in the generator's own jar


def class_path(folder: Path) -> str:
    jars = [
        next(BIN.parent.glob("lib/*/site-packages/openapi_generator_cli/*.jar")),
        Path("/usr/share/java/jakarta-annotation-api.jar"),
    ]
    if missing := [jar for jar in jars if not jar.exists()]:
        raise Missing(missing[0].name)
    return ":".join(map(str, [folder / "classes", *jars]))


def compile_java(folder: Path) -> None:
    (folder / "classes").mkdir()
    run(
        *("javac", "-nowarn", "-d", "classes", "-cp", class_path(folder)),
        *(folder / "made" / "src" / "main").rglob("*.java"),
        CLIENTS / "OpenApiGenerator.java",
        cwd=folder,
    )


def run_java(folder: Path, api: Service) -> str:
    command = ("java", "-cp", class_path(folder), "OpenApiGenerator")
    return run(*command, environment=credentials(api))


_NO_LIBRARIES = "libraries not to be had"
ALL = (
    Client(
        "Python, openapi-python-client",
        generate_attrs,
        load_python("krafter_attrs"),
        run_python("openapi_python_client.py"),
    ),
    Client(
        "Python, openapi-generator",
        by_jar("python", "--package-name", "krafter_pydantic"),
        load_python("krafter_pydantic"),
        run_python("openapi_generator.py"),
    ),
    Client(
        "TypeScript, openapi-fetch",
        generate_types,
        compile_typescript,
        run_node("openapi_typescript.js"),
    ),
    Client(
        "TypeScript, hey-api",
        generate_hey_api,
        compile_typescript,
        run_node("hey_api.js"),
    ),
    Client(
        "TypeScript, orval and zod",
        generate_orval,
        compile_typescript,
        run_node("orval.js"),
    ),
    Client(
        "TypeScript, openapi-generator",
        generate_fetch,
        compile_typescript,
        run_node("typescript_fetch.js"),
    ),
    Client(
        "Go, openapi-generator",
        by_jar("go", "--additional-properties=enumClassPrefix=true"),
        compile_go,
        run_go,
    ),
    Client("Ruby, openapi-generator", by_jar("ruby"), load_ruby, run_ruby),
    Client("PHP, openapi-generator", by_jar("php"), check_php, run_php),
    Client(
        "Java, openapi-generator",
        by_jar(
            *("java", "--library", "native"),
            "--additional-properties=useJakartaEe=true,openApiNullable=false,"
            "useSingleRequestParameter=true",
        ),
        compile_java,
        run_java,
    ),
    Client("C#, openapi-generator", by_jar("csharp"), lacks=_NO_LIBRARIES),
    Client("Kotlin, openapi-generator", by_jar("kotlin"), lacks=_NO_LIBRARIES),
    Client("Rust, openapi-generator", by_jar("rust"), lacks=_NO_LIBRARIES),
)
