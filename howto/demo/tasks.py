"""The tasks that a demo video can show: ordered steps, how each is drawn, and the ways to say it.

Data only. Some steps belong to two tasks (an egg is cracked for pancakes and for a cake), and many
things and motions to several, so that neither a word nor a colour gives the task away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["SETTINGS", "TASKS", "Step", "Task"]

# Surroundings, each with its own kind of wall; `howto.demo.scene` paints them.
SETTINGS = ("kitchen", "bedroom", "workshop", "garden", "living-room")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a task.

    Attributes:
        slug: unique among all steps; a step of two tasks is the same step.
        name: the step in a few words, as a benchmark would list it.
        motion: the function of `howto.demo.motions` that draws it.
        props: its keyword arguments: what is used on what.
        phrases: ways to say it, the most usual first; `{colour}` is the colour of the video's main
            thing.
    """

    slug: str
    name: str
    motion: str
    props: Mapping[str, str]
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A how-to task.

    Attributes:
        slug: names the files.
        title: as a person would search for it.
        topic: the title within a sentence, with the colour where the thing has one.
        setting: the surroundings usual for it, one of `SETTINGS`.
        steps: in the order in which they are done.
        things: nouns of the task, for lines that name something out of place elsewhere.
    """

    slug: str
    title: str
    topic: str
    setting: str
    steps: tuple[Step, ...]
    things: tuple[str, ...] = field(default=())


def _step(slug: str, name: str, motion: str, props: str, phrases: str) -> Step:
    """Read the two compact notations of the tables below: `key=value key=value` and `a / b / c`."""
    pairs = dict(pair.split("=", 1) for pair in props.split())
    return Step(slug, name, motion, pairs, tuple(" ".join(p.split()) for p in phrases.split(" / ")))


CRACK_EGG = _step(
    "crack-egg",
    "crack an egg",
    "crack",
    "",
    "crack an egg into the bowl / break the egg on the edge of the bowl / crack the eggs one by "
    "one /"
    " tap the egg and open the shell / drop the egg in and throw away the shell",
)
ADD_FLOUR = _step(
    "add-flour",
    "add the flour",
    "shake",
    "tool=bag grains=flour onto=bowl",
    "add the flour to the bowl / shake in two cups of flour / sift the flour over the eggs /"
    " tip the white flour in bit by bit / the flour goes in from the bag",
)
STIR_BATTER = _step(
    "stir-batter",
    "stir the batter",
    "stir",
    "vessel=bowl content=batter tool=whisk",
    "stir the batter with a whisk / whisk everything until it is smooth / mix the batter well /"
    " keep stirring so there are no lumps / beat the mixture round and round",
)

FOLD_A_SHIRT = Task(
    "fold-a-shirt",
    "Fold a shirt",
    "fold a {colour} shirt",
    "bedroom",
    (
        _step(
            "lay-shirt-flat",
            "lay the shirt flat",
            "smooth",
            "",
            "lay the shirt flat on the table / spread the {colour} shirt out with your hands /"
            " smooth the shirt down / put the shirt face down and flatten it /"
            " straighten the fabric from the middle to the sides",
        ),
        _step(
            "iron-shirt",
            "iron the shirt",
            "iron",
            "",
            "iron the shirt / run the hot iron over the fabric / iron out all the wrinkles /"
            " move the iron up and down the {colour} shirt / let the steam do the work",
        ),
        _step(
            "fold-left-sleeve",
            "fold the left sleeve in",
            "fold_shirt",
            "side=left",
            "fold the left sleeve in / bring the left side over to the middle /"
            " take the left sleeve and fold it across / turn the left edge of the {colour} shirt "
            "in /"
            " now the left arm goes over",
        ),
        _step(
            "fold-right-sleeve",
            "fold the right sleeve in",
            "fold_shirt",
            "side=right",
            "fold the right sleeve in / do the same with the right side / fold the right sleeve "
            "over /"
            " bring the right edge of the {colour} shirt to the middle / now the right arm goes "
            "over",
        ),
        _step(
            "fold-bottom-up",
            "fold the bottom up",
            "fold_shirt",
            "side=up",
            "fold the bottom up to the collar / fold the shirt in half / take the hem and bring "
            "it up /"
            " fold it upwards to get a square / lift the lower half over the top",
        ),
        _step(
            "put-in-drawer",
            "put the shirt in the drawer",
            "stow",
            "",
            "put the folded shirt in the drawer / slide the shirt into the drawer /"
            " stack it away in the drawer / the {colour} shirt goes in the drawer /"
            " lay it down in the wooden drawer",
        ),
    ),
    ("the shirt", "an iron", "the sleeve", "the drawer"),
)

MAKE_PANCAKES = Task(
    "make-pancakes",
    "Make pancakes",
    "make pancakes",
    "kitchen",
    (
        CRACK_EGG,
        _step(
            "pour-milk",
            "pour in the milk",
            "pour",
            "source=jug liquid=milk into=bowl content=egg",
            "pour in the milk / add a cup of milk / pour the milk from the jug /"
            " the milk goes in slowly / now a good splash of milk",
        ),
        ADD_FLOUR,
        STIR_BATTER,
        _step(
            "pour-batter-pan",
            "pour the batter into the pan",
            "pour",
            "source=ladle liquid=batter into=pan content=none",
            "pour the batter into the pan / put a ladle of batter in the hot pan /"
            " ladle it into the frying pan / let the batter run over the pan /"
            " one scoop of batter for each pancake",
        ),
        _step(
            "flip-pancake",
            "flip the pancake",
            "flip",
            "",
            "flip the pancake / toss the pancake in the air / turn the pancake over in the pan /"
            " flip it when you see bubbles / give the pan a jerk and catch the pancake",
        ),
        _step(
            "pour-syrup",
            "pour syrup over the pancakes",
            "pour",
            "source=bottle liquid=syrup into=stack content=none",
            "pour syrup over the pancakes / finish the stack with maple syrup / drizzle the syrup "
            "on /"
            " lots of syrup on top / let the syrup run down the stack",
        ),
    ),
    ("pancakes", "maple syrup", "a frying pan", "the milk"),
)

CHANGE_TYRE = Task(
    "change-a-bicycle-tyre",
    "Change a bicycle tyre",
    "change a bicycle tyre",
    "workshop",
    (
        _step(
            "loosen-nut",
            "loosen the wheel nut",
            "wrench",
            "",
            "loosen the wheel nut with a wrench / undo the nut in the middle / turn the wrench to "
            "the left /"
            " use a spanner on the axle nut / unscrew the wheel",
        ),
        _step(
            "pry-tyre-off",
            "pry the tyre off with levers",
            "pry",
            "",
            "pry the tyre off with the levers / push the tyre levers under the rim /"
            " lever the old tyre off / work the {colour} levers around the edge /"
            " hook one lever in and pull down with the other",
        ),
        _step(
            "pull-tube-out",
            "pull out the inner tube",
            "pull_tube",
            "",
            "pull out the inner tube / take the old tube out of the tyre / pull the rubber tube "
            "away /"
            " grab the inner tube and drag it out / the flat tube comes out now",
        ),
        _step(
            "fit-tyre",
            "push the new tyre onto the rim",
            "fit_tyre",
            "",
            "push the new tyre onto the rim / press the tyre in with your thumbs / fit the new "
            "tyre /"
            " work the tyre back over the edge of the rim / squeeze the last bit in by hand",
        ),
        _step(
            "pump-tyre",
            "pump up the tyre",
            "pump",
            "",
            "pump up the tyre / pump air into the tyre / use the {colour} pump until the tyre is "
            "hard /"
            " keep pumping up and down / inflate it with a floor pump",
        ),
        _step(
            "spin-wheel",
            "spin the wheel",
            "spin",
            "",
            "spin the wheel to check it / give the wheel a spin / let the wheel turn freely /"
            " see if the wheel runs straight / turn it fast and listen",
        ),
    ),
    ("a bicycle pump", "the wheel", "a wrench", "the inner tube"),
)

REPOT_A_PLANT = Task(
    "repot-a-plant",
    "Repot a plant",
    "repot a plant in a {colour} pot",
    "garden",
    (
        _step(
            "fill-pot",
            "fill the pot with soil",
            "scoop",
            "",
            "fill the pot with soil / put some fresh soil in the {colour} pot / scoop earth into "
            "the new pot /"
            " use a trowel to add potting soil / shovel in the dirt until it is half full",
        ),
        _step(
            "move-plant",
            "move the plant to the new pot",
            "move_plant",
            "",
            "move the plant to the new pot / lift the plant out of the old pot / set the plant in "
            "the {colour} pot /"
            " take it out with all its roots / carry the plant over gently",
        ),
        _step(
            "press-soil",
            "press the soil down",
            "press_soil",
            "",
            "press the soil down with your fingers / push the earth down around the stem / firm "
            "the soil /"
            " pat it down with both hands / press the dirt so the plant stands",
        ),
        _step(
            "trim-leaves",
            "trim the leaves",
            "trim",
            "",
            "trim the leaves with scissors / cut off the brown leaves / snip the old leaves /"
            " clip away what is dry / a few cuts and the plant looks fresh",
        ),
        _step(
            "water-plant",
            "water the plant",
            "water",
            "",
            "water the plant / give the plant some water / sprinkle it with the watering can /"
            " pour water on the soil with the can / let it drink",
        ),
    ),
    ("the plant", "a watering can", "fresh soil", "a flower pot"),
)

WRAP_A_GIFT = Task(
    "wrap-a-gift",
    "Wrap a gift",
    "wrap a gift in {colour} paper",
    "living-room",
    (
        _step(
            "roll-out-paper",
            "roll out the paper",
            "unroll",
            "",
            "roll out the wrapping paper / unroll the {colour} paper on the table / roll the "
            "paper out flat /"
            " pull the paper off the roll / open the roll from left to right",
        ),
        _step(
            "cut-paper",
            "cut the paper",
            "cut_paper",
            "",
            "cut the paper with scissors / cut a straight line with the scissors / trim the "
            "{colour} paper to size /"
            " slide the scissors along the line / snip off what you need",
        ),
        _step(
            "place-box",
            "place the box on the paper",
            "place_box",
            "",
            "place the box on the paper / set the box in the middle / put your gift down on the "
            "paper /"
            " the cardboard box goes here / center the box on the sheet",
        ),
        _step(
            "fold-paper",
            "fold the paper over the box",
            "fold_paper",
            "",
            "fold the paper over the box / bring the {colour} paper up over both sides / wrap the "
            "paper around the box /"
            " fold the edges over the top / close the paper tightly",
        ),
        _step(
            "tape-paper",
            "tape the paper",
            "tape",
            "thing=gift",
            "tape the paper down / put a strip of tape on the seam / stick it with some tape /"
            " tear off a piece of tape / fix the edge with clear tape",
        ),
        _step(
            "tie-ribbon",
            "tie a ribbon",
            "tie",
            "",
            "tie a ribbon around it / make a bow with the ribbon / tie the ribbon on top /"
            " pull the loops of the bow tight / cross the ribbon and knot it",
        ),
    ),
    ("a ribbon", "wrapping paper", "the gift", "a roll of tape"),
)

BAKE_A_CAKE = Task(
    "bake-a-cake",
    "Bake a cake",
    "bake a cake",
    "kitchen",
    (
        CRACK_EGG,
        ADD_FLOUR,
        STIR_BATTER,
        _step(
            "fill-tin",
            "pour the batter into the tin",
            "pour",
            "source=bowl liquid=batter into=tin content=none",
            "pour the batter into the tin / fill the baking tin / empty the bowl into the cake "
            "tin /"
            " let the batter run into the tin / tip it all into the greased tin",
        ),
        _step(
            "put-in-oven",
            "put the cake in the oven",
            "bake",
            "",
            "put the cake in the oven / slide the tin into the hot oven / bake it for forty "
            "minutes /"
            " into the oven it goes / open the oven and set the tin on the rack",
        ),
        _step(
            "spread-icing",
            "spread the icing",
            "spread",
            "",
            "spread the icing over the cake / spread the {colour} icing with a spatula / cover "
            "the cake with frosting /"
            " smooth the frosting back and forth / coat the top with icing",
        ),
        _step(
            "add-sprinkles",
            "scatter the sprinkles",
            "shake",
            "tool=shaker grains=sprinkles onto=cake",
            "scatter sprinkles on the cake / shake some sprinkles on top / decorate it with "
            "sprinkles /"
            " drop colourful sprinkles over the icing / now the sprinkles",
        ),
    ),
    ("the cake", "the oven", "sprinkles", "a baking tin"),
)

CLEAN_A_WINDOW = Task(
    "clean-a-window",
    "Clean a window",
    "clean a window",
    "living-room",
    (
        _step(
            "fill-bucket",
            "pour soap into the bucket",
            "pour",
            "source=bottle liquid=soap into=bucket content=water",
            "pour soap into the bucket / add dish soap to the water / a little soap in the bucket /"
            " squeeze the {colour} soap in / mix soap and warm water",
        ),
        _step(
            "spray-glass",
            "spray the glass",
            "spray",
            "",
            "spray the glass / spray cleaner on the window / mist the whole pane with the bottle /"
            " a few squirts on the window / wet the glass with the spray",
        ),
        _step(
            "wipe-glass",
            "wipe the glass with a cloth",
            "wipe",
            "",
            "wipe the glass with a cloth / rub the window with the {colour} cloth / wipe in "
            "circles /"
            " wash the dirt off with a rag / scrub the pane with the cloth",
        ),
        _step(
            "squeegee-glass",
            "pull the squeegee down",
            "squeegee",
            "",
            "pull the squeegee down the glass / squeegee the water off / draw the rubber blade "
            "from top to bottom /"
            " one stripe after the other with the squeegee / scrape the window dry",
        ),
        _step(
            "polish-frame",
            "polish the frame",
            "polish",
            "",
            "polish the frame / wipe along the frame with paper / dry the edges of the window /"
            " go around the frame once more / clean the sill and the frame",
        ),
    ),
    ("the window", "a squeegee", "a bucket", "dish soap"),
)

PAINT_A_WALL = Task(
    "paint-a-wall",
    "Paint a wall",
    "paint a wall {colour}",
    "bedroom",
    (
        _step(
            "tape-edges",
            "tape the edges",
            "tape",
            "thing=wall",
            "tape the edges of the wall / stick masking tape along the border / put tape around "
            "the edge /"
            " press the blue tape down / cover the edge with tape",
        ),
        _step(
            "stir-paint",
            "stir the paint",
            "stir",
            "vessel=can content=hero tool=stick",
            "stir the paint / stir the {colour} paint with a stick / mix the paint in the can /"
            " stir it from the bottom / turn the stick slowly in the paint",
        ),
        _step(
            "pour-paint",
            "pour the paint into the tray",
            "pour",
            "source=can liquid=hero into=tray content=none",
            "pour the paint into the tray / fill the tray with {colour} paint / tip the can over "
            "the tray /"
            " let the paint run into the tray / pour just enough paint",
        ),
        _step(
            "brush-corners",
            "brush the corners",
            "brush",
            "onto=wall",
            "brush the corners / paint along the edge with a brush / use a small brush for the "
            "corners /"
            " cut in with the brush / short strokes of the brush at the side",
        ),
        _step(
            "roll-wall",
            "roll the paint on",
            "roll",
            "",
            "roll the paint on the wall / roll up and down / cover the wall with the roller /"
            " paint the wall {colour} with a roller / long strokes with the paint roller",
        ),
    ),
    ("the paint", "a paint roller", "masking tape", "the wall"),
)

BUILD_A_BIRDHOUSE = Task(
    "build-a-birdhouse",
    "Build a birdhouse",
    "build a {colour} birdhouse",
    "workshop",
    (
        _step(
            "measure-board",
            "measure the board",
            "measure",
            "",
            "measure the board / pull the tape measure along the wood / measure twenty "
            "centimetres /"
            " mark the board with a pencil / check the length of the plank",
        ),
        _step(
            "saw-board",
            "saw the board",
            "saw",
            "",
            "saw the board / cut the wood with a saw / saw along the line / push and pull the saw /"
            " saw off the end of the plank",
        ),
        _step(
            "sand-board",
            "sand the wood",
            "sand",
            "",
            "sand the wood / rub the board with sandpaper / sand the edges smooth /"
            " go over the plank with sandpaper / take the splinters off",
        ),
        _step(
            "hammer-nails",
            "hammer in the nails",
            "hammer",
            "",
            "hammer in the nails / nail the roof on / hit the nail with the hammer /"
            " knock the nails in / a few blows with the hammer",
        ),
        _step(
            "paint-birdhouse",
            "paint the birdhouse",
            "brush",
            "onto=birdhouse",
            "paint the birdhouse / brush {colour} paint on the roof / paint the little house with "
            "a brush /"
            " give the birdhouse a coat of paint / brush it on evenly",
        ),
    ),
    ("a hammer", "the birdhouse", "a saw", "some nails"),
)

MAKE_A_SALAD = Task(
    "make-a-salad",
    "Make a salad",
    "make a salad",
    "kitchen",
    (
        _step(
            "wash-lettuce",
            "wash the lettuce",
            "wash",
            "",
            "wash the lettuce / rinse the green leaves under the tap / hold the lettuce under "
            "running water /"
            " clean the salad leaves / shake the lettuce in cold water",
        ),
        _step(
            "slice-tomato",
            "slice the tomatoes",
            "slice",
            "thing=tomato",
            "slice the tomatoes / cut the tomato with a knife / chop the red tomatoes / slice it "
            "thinly /"
            " cut the tomato in pieces",
        ),
        _step(
            "slice-cucumber",
            "slice the cucumber",
            "slice",
            "thing=cucumber",
            "slice the cucumber / cut the cucumber with a knife / chop the long cucumber /"
            " thin slices of cucumber / cut the cucumber from one end",
        ),
        _step(
            "pour-oil",
            "pour on the oil",
            "pour",
            "source=bottle liquid=oil into=bowl content=salad",
            "pour on the oil / add some olive oil / drizzle oil over the salad / a spoon of oil "
            "from the bottle /"
            " pour the golden oil in the bowl",
        ),
        _step(
            "toss-salad",
            "toss the salad",
            "stir",
            "vessel=bowl content=salad tool=spoon",
            "toss the salad / mix the salad with a spoon / turn the leaves over in the bowl /"
            " stir the salad gently / mix all the vegetables",
        ),
    ),
    ("the lettuce", "a cucumber", "olive oil", "a knife"),
)

TASKS: Mapping[str, Task] = {
    task.slug: task
    for task in (
        FOLD_A_SHIRT,
        MAKE_PANCAKES,
        CHANGE_TYRE,
        REPOT_A_PLANT,
        WRAP_A_GIFT,
        BAKE_A_CAKE,
        CLEAN_A_WINDOW,
        PAINT_A_WALL,
        BUILD_A_BIRDHOUSE,
        MAKE_A_SALAD,
    )
}
