# Makes the virtual environment and installs the package into it; sourced by demo and test.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=${STREAM_DREAM_VENV:-$root/.venv}
case $venv in
  /*) ;;
  *) venv=$PWD/$venv ;;
esac

# Prints a Python that TensorFlow has wheels for, and that can make a virtual environment.
find_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c \
      'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
      2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "stream_dream needs Python 3.11, 3.12 or 3.13, for which TensorFlow has wheels, with its venv" \
    "module (Debian: apt install python3-venv): none was found" >&2
  exit 1
}

# Prints what an installation depends on: moving the project invalidates its paths.
fingerprint() {
  echo "# $root"
  cat "$root/pyproject.toml"
}

# install EXTRA: EXTRA is "" or a list of extras in brackets. Runs pip only where the fingerprint
# has changed since the last complete installation.
install() {
  local python stamp="$venv/.installed${1//[^a-z]/-}"
  fingerprint | cmp -s - "$stamp" && return
  if [ ! -x "$venv/bin/pip" ]; then
    python=$(find_python)
    "$python" -m venv "$venv"
  fi
  echo "Installing stream_dream into $venv: this takes a few minutes, once." >&2
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$root$1"
  fingerprint >"$stamp"
}
