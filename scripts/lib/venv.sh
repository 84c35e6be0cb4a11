# Makes the virtual environment and installs the package into it; sourced by demo and test.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=${STREAM_DREAM_VENV:-$root/.venv}

find_python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "stream_dream needs Python 3.11 or newer: none was found" >&2
  exit 1
}

# install EXTRA: EXTRA is "" or a list of extras in brackets. Runs pip only where pyproject.toml has
# changed since the last complete installation.
install() {
  local stamp="$venv/.installed${1//[^a-z]/-}"
  cmp -s "$root/pyproject.toml" "$stamp" && return
  if [ ! -x "$venv/bin/pip" ]; then
    local python
    python=$(find_python)
    "$python" -m venv "$venv" || {
      echo "$python cannot make a virtual environment: install its venv module (Debian: python3-venv)" >&2
      exit 1
    }
  fi
  echo "Installing stream_dream into $venv: this takes a few minutes, once." >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check --editable "$root$1"
  cp "$root/pyproject.toml" "$stamp"
}
