#!/usr/bin/env bash
# ray 2.60.0: a script that calls ray.init() with no cluster leaves ~/.ray/auth_token. From then on `ray start --head`
# on that machine asks a token of all who come, and says so in one line of its log; ray.init() finds it; but `ray job`
# of the same user on the same machine does not send it, and fails with AuthenticationError: "Token authentication is
# enabled but no authentication token was found. Note: RAY_AUTH_MODE is currently 'disabled'". RAY_AUTH_MODE=token
# mends it.
# Why it matters here: `ray start --head`, `ray job submit`, as the documentation has it, works or not by what else
# was run on the machine before.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ray[default]==2.60.0'
cd "$folder"
export HOME=$folder/home PATH=$folder/venv/bin:$PATH RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0
unset RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_ADDRESS
mkdir "$HOME"
free() { python -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Start a head with a dashboard, list its jobs as $1 says, end it, and print what the list command made of it.
listed() {
    local port dash
    port=$(free) dash=$(free)
    setsid ray start --head --block --node-ip-address 127.0.0.1 --port "$port" --dashboard-port "$dash" --num-cpus 1 \
        --ray-client-server-port "$(free)" --dashboard-agent-listen-port 0 --temp-dir "$folder/$1" \
        --object-store-memory 80000000 >"$1.log" 2>&1 &
    local head=$!
    until grep -qs "Ray runtime started" "$1.log"; do sleep 0.5; done
    sleep 5
    env "${@:2}" ray job list --address "http://127.0.0.1:$dash" >"$1.out" 2>&1 && echo works || echo fails
    kill -TERM -- "-$head"
    wait "$head" || true
}

before=$(listed fresh A=1)
python -W ignore -c 'import ray; ray.init("local", num_cpus=1, include_dashboard=False)' 2>/dev/null
test -s "$HOME/.ray/auth_token"
after=$(listed after A=1)
grep -q "Token authentication is enabled but no authentication token was found" after.out
mended=$(listed mended RAY_AUTH_MODE=token)
echo "ray 2.60.0: ray job list $before; after a ray.init() it $after; with RAY_AUTH_MODE=token it $mended"
test "$before $after $mended" = "works fails works"
echo "as described"
