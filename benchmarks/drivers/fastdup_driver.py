"""fastdup with its connected components at 0.9."""

import json
import shutil
import sys
import tempfile

import fastdup


def main() -> None:
    folder, out = sys.argv[1:3]
    work = tempfile.mkdtemp()
    session = fastdup.create(work_dir=work, input_dir=folder)
    session.run(overwrite=True, ccthreshold=0.9, threshold=0.9, verbose=False)
    components, _ = session.connected_components()
    groups = [
        [str(path) for path in rows["filename"]]
        for _, rows in components.groupby("component_id")
        if len(rows) > 1
    ]
    shutil.rmtree(work, ignore_errors=True)
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"groups": groups}, file)


if __name__ == "__main__":
    main()
