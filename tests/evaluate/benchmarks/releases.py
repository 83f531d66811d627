"""Small releases of every data set, in the forms of the published files."""

import hashlib
import json
import pickle
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

DIMS = (6, 4)
"""Of the two streams of features."""


def vector_of(text: str, dim: int) -> np.ndarray:
    """A float16 vector that depends on the text alone."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(0, 1, dim).astype(np.float16)


def streams_of(text: str) -> dict[str, np.ndarray]:
    """Features of a clip that shows what a text says."""
    return {
        "2d": vector_of(f"2d {text}", DIMS[0]),
        "3d": vector_of(f"3d {text}", DIMS[1]),
    }


def write_pkl(path: Path, rows: Iterable[tuple[str, str]]) -> Path:
    """The YouCook2 form: video and caption of each clip, whose features show the caption."""
    held = [{**streams_of(said), "caption": said, "id": video} for video, said in rows]
    path.write_bytes(pickle.dumps(held, protocol=2))
    return path


def write_pth(path: Path, shown: Mapping[str, str]) -> Path:
    """The MSR-VTT form: features of each clip, which show a text."""
    made = {clip: streams_of(text) for clip, text in shown.items()}
    held = {
        name: {clip: torch.from_numpy(both[name]).float() for clip, both in made.items()}
        for name in ("2d", "3d")
    }
    torch.save(held, path)
    return path


# --- YouCook2 ---

YOUCOOK = [
    ("AAAAAAAAAAA", 10, 20, "cut the onion"),
    ("AAAAAAAAAAA", 25, 40, "fry it in oil"),
    ("BBBBBBBBBBB", 0, 9, "whisk the eggs"),
    ("CCCCCCCCCCC", 5, 30, 'add salt, pepper and "herbs"'),
    ("CCCCCCCCCCC", 41, 52, "serve"),
]


def youcook2(folder: Path, split: str) -> None:
    name = {"validation": "val", "training": "train"}[split]
    write_pkl(folder / f"youcook_{name}.pkl", [(video, said) for video, *_, said in YOUCOOK])
    (folder / "annotations").mkdir()
    database: dict[str, dict] = {}
    for number, (video, start, end, said) in enumerate(YOUCOOK):
        told = database.setdefault(
            video, {"duration": 60.0, "subset": split, "recipe_type": "101", "annotations": []}
        )
        told["annotations"].append({"segment": [start, end], "id": number, "sentence": said})
    path = folder / "annotations" / "youcookii_annotations_trainval.json"
    path.write_text(json.dumps({"database": database}))


# --- MSR-VTT ---

MSRVTT = {
    "video7020": ("test", "DDDDDDDDDDD", 1.0, 9.5, ["a man cooks", "someone fries an egg"]),
    "video7021": ("test", "DDDDDDDDDDD", 20.0, 31.0, ["a car", "a red car drives"]),
    "video6513": ("validate", "EEEEEEEEEEE", 0.0, 12.0, ["a dog", "a dog barks"]),
    "video0": ("train", "FFFFFFFFFFF", 3.0, 14.0, ["a song", "people sing"]),
}


def msrvtt(folder: Path, split: str) -> None:
    videos = [
        {
            "video_id": name,
            "split": official,
            "url": f"https://www.youtube.com/watch?v={youtube}",
            "start time": start,
            "end time": end,
        }
        for name, (official, youtube, start, end, _) in MSRVTT.items()
    ]
    sentences = [
        {"video_id": name, "caption": said, "sen_id": number}
        for name, (*_, captions) in MSRVTT.items()
        for number, said in enumerate(captions)
    ]
    data = {"info": {}, "videos": videos, "sentences": sentences}
    (folder / "MSRVTT_data.json").write_text(json.dumps(data))
    rows = ["key,vid_key,video_id,sentence", "ret0,msr7020,video7020,a man cooks"]
    rows.append('ret1,msr7021,video7021,"a car, red"')
    (folder / "MSRVTT_JSFUSION_test.csv").write_text("\n".join(rows) + "\n")
    (folder / "MSRVTT_train.9k.csv").write_text("video_id\nvideo0\nvideo6513\n")
    (folder / "MSRVTT_train.7k.csv").write_text("video_id\nvideo0\nvideo6513\n")
    (folder / "test_list_miech.txt").write_text("video7021\nvideo0\n")
    shown = {"video7020": "a man cooks", "video7021": "a car, red"}
    write_pth(folder / "MSRVTT_JSFUSION_test.pth", shown)


# --- LSMDC ---

LSMDC = {
    "1004_Juno_00.00.32.306-00.00.40.807": "SOMEONE drinks juice.",
    "1004_Juno_00.01.02.000-00.01.05.500": "She walks down a street.",
    "3009_BATTLE_LOS_ANGELES_00.00.52.006-00.00.53.937": "A helicopter flies.",
}
_LSMDC_NAMES = {
    "test": ("LSMDC16_challenge_1000_publictect.csv", "LSMDC_test.pth"),
    "validation": ("LSMDC16_annos_val.csv", "LSMDC_val.pth"),
    "training": ("LSMDC16_annos_training.csv", "LSMDC_train.pth"),
}


def lsmdc(folder: Path, split: str) -> None:
    table, features = _LSMDC_NAMES[split]
    rows = [f"{name}\t0\t1\t0\t1\t{said}\n" for name, said in LSMDC.items()]
    (folder / table).write_text("".join(rows))
    write_pth(folder / features, LSMDC)


# --- CrossTask ---

TASKS = {
    "23521": ("Make Jello Shots", ["pour water", "pour jello powder", "stir mixture"]),
    "16815": ("Change a Tire", ["brake on", "get things out"]),
}
STEPS = {
    ("23521", "GGGGGGGGGGG"): [(1, 0.0, 2.5), (3, 5.0, 7.0), (1, 8.0, 9.0)],
    ("23521", "HHHHHHHHHHH"): [(2, 1.2, 3.0)],
    ("16815", "IIIIIIIIIII"): [(1, 2.0, 4.0), (2, 4.0, 6.0)],
    ("16815", "JJJJJJJJJJJ"): [(2, 3.0, 5.0)],
}


def crosstask(folder: Path, split: str) -> None:
    inside = folder / "crosstask_release"
    (inside / "annotations").mkdir(parents=True)
    blocks = [
        f"{task}\n{title}\nhttps://www.wikihow.com/x\n{len(steps)}\n{','.join(steps)}\n"
        for task, (title, steps) in TASKS.items()
    ]
    (inside / "tasks_primary.txt").write_text("\n".join(blocks))
    rows = [f"{task},{video},https://www.youtube.com/watch?v={video}\n" for task, video in STEPS]
    related = "9999,KKKKKKKKKKK,https://www.youtube.com/watch?v=KKKKKKKKKKK\n"
    (inside / "videos.csv").write_text("".join([*rows, related]))
    (inside / "videos_val.csv").write_text(rows[-1])
    for (task, video), steps in STEPS.items():
        text = "".join(f"{step},{start},{end}\n" for step, start, end in steps)
        (inside / "annotations" / f"{task}_{video}.csv").write_text(text)


# --- COIN ---


def coin(folder: Path, split: str) -> None:
    database = {}
    for (task, video), steps in STEPS.items():
        title, names = TASKS[task]
        database[video] = {
            "class": title.replace(" ", ""),
            "recipe_type": 3,
            "subset": split,
            "duration": 12.5,
            "annotation": [
                {"id": str(40 + step), "segment": [start, end], "label": names[step - 1]}
                for step, start, end in steps
            ],
        }
    (folder / "COIN.json").write_text(json.dumps({"database": database}))


# --- moments ---

MOMENTS = [
    ("s13-d21", "the person peels a carrot", [[5.0, 15.0]], 60.0),
    ("s13-d21", "the person washes it", [[20.0, 25.0], [30.0, 35.0]], 60.0),
    ("s14-d01", "the person gets out a knife", [[0.0, 5.0]], 30.0),
]


def moment_lines(rows: Sequence[tuple] = MOMENTS) -> str:
    told = [
        {"qid": n, "query": said, "vid": video, "duration": duration, "relevant_windows": times}
        for n, (video, said, times, duration) in enumerate(rows)
    ]
    return "".join(json.dumps(one) + "\n" for one in told)


def tacos(folder: Path, split: str) -> None:
    (folder / f"tacos_{split}_release.jsonl").write_text(moment_lines())


def qvhighlights(folder: Path, split: str) -> None:
    rows = [(f"NUsG9BgSes0_{n}0.0_160.0", *rest) for n, (_, *rest) in enumerate(MOMENTS)]
    (folder / f"highlight_{split}_release.jsonl").write_text(moment_lines(rows))


def charades_sta(folder: Path, split: str) -> None:
    rows = [f"AO8RW {a} {b}##{said}.\n" for _, said, times, _ in MOMENTS for a, b in times]
    (folder / f"charades_sta_{split}.txt").write_text("".join(rows))


def didemo(folder: Path, split: str) -> None:
    rows = [
        {
            "video": "54322086@N00_2408598493_274c77d26a.avi",
            "description": said,
            "times": [[int(a // 5), int(b // 5) - 1] for a, b in times if b <= 30] or [[0, 0]],
            "num_segments": 6,
        }
        for _, said, times, _ in MOMENTS
    ]
    (folder / f"{split}_data.json").write_text(json.dumps(rows))
