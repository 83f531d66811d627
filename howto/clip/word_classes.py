"""Classes of English words, for a score of how likely a caption names what is seen.

The lists are our own, written from what people do and hold in how-to videos of every kind:
kitchen, workshop, garage, garden, sewing, beauty, cleaning, computers, sport. `base_forms` leads an
inflected word to them, so that each stands here once.
"""

__all__ = [
    "ACTIONS",
    "CHATTER",
    "CHATTER_PHRASES",
    "POINTERS",
    "THINGS",
    "WEAK_ACTIONS",
    "base_forms",
]

ACTIONS = frozenset(
    """
add adjust aim align apply arrange assemble attach bake barbecue bash baste beat bend bind blanch
bleach blend blot blow boil bolt bore bounce bow braid braise bread break bring brown brush buckle
buff bundle burn butter button caramelize carve cast caulk chain charge chill chip chisel chop clamp
clean click clip close coat coil comb combine compress connect cook cool core cover crack crease
crimp crochet crop cross crouch crumb crumble crumple crush cube curl cut dab dangle darken
dehydrate dice dig dip disassemble discard disconnect dismantle dissolve divide drag drain drape
draw dribble drill drip drive drizzle drop dry duct dunk dust dye embroider empty enlarge erase etch
extend fan fasten feather feed ferment file fill flatten flick flip floss fluff fold fry garnish
gather glaze glue grab graft grasp grate grease grill grind grip groom grout hammer hang hem hit
hoist hold hook hose inflate insert install iron jack join juice jump kick knead kneel knit knock
knot lace ladle laminate lather lay layer lean level lift light line load lock loop loosen lower
lubricate marinate mark mash massage measure melt mince mist mix moisten mop mount mow mulch nail
notch oil open pack paint paste pat patch peel perforate pick pickle pierce pin pinch pipe place
plait plane plant plaster pleat pluck plug plunge poach poke polish position pot pound pour press
prick prime prune pull pump puncture puree push raise rake rasp reassemble reattach refill reheat
reinstall remove replace repot rewind rinse rip rivet roast roll rotate rub saddle sand saute saw
scald scatter scoop score scrape scratch screw scroll scrub scrunch seal sear season secure select
separate serve sew shake shape sharpen shave shear shift shovel shred sieve sift simmer siphon
skewer skim skip slash slice slide slip smash smear smoke smooth snap snip soak soap solder sow spin
splash splice split sponge spray spread sprinkle sprout squat squeeze squirt stack stamp staple
steam steep stencil stick stir stitch stow straighten strain strap stretch string strip stroke strum
stuff submerge suspend swab sweep swing swipe swirl switch tack tap tape tear tease thaw thicken
thread throw tie tighten till tilt tip toast toss trace transplant trim tuck tug tune turn twist
type unbolt unbuckle unclip uncoil uncover unfold unhook unlock unplug unroll unscrew untie unwind
unwrap unzip upload vacuum wash water wax weave wedge weed weigh weld whip whisk widen wind wipe
wire wrap wring yank yarn zest zip zoom
""".split()
)
"""Verbs of what hands, tools and bodies do; base forms. Some are things as well (a brush)."""

WEAK_ACTIONS = frozenset(
    """
bring build change check come cover create decorate do finish fix form get give go keep leave let
make move prepare put reach repeat run set show slow start take test use work
""".split()
)
"""Verbs that say an action is near, but not which; half as much evidence."""

THINGS = frozenset(
    """
acorn adhesive alternator ant apple apricot apron arm asparagus avocado axe axle bacon bag
bagel ball balloon banana bandage bangs bark barrel basil basin basket baster bat bath bathtub
batter battery bead bean beard bearing bed bee beef beet belt bench berry bicycle bike bin bird
birdhouse biscuit black blade blanket blender blind blue blueberry blush blusher board bobbin
bodice bolt bone bonnet book bottle bouquet bow bowl box bracket braid brake branch bread breadcrumb
breast brick broccoli brooch broom broth brow brown brownie brush bubble bucket bud bulb bumper bun
bush bushing butter buttercream buttermilk button buttonhole cabbage cable cactus cake caliper
camera can candle candy canister canvas car caramel carburetor carburettor card cardamom cardboard
cardstock carpet carrot cartridge case cashew casserole cat cauliflower caulk ceiling celery cement
chain chair charger charm chassis cheddar cheek cheese cherry chest chick chicken chili chilli chin
chip chisel chive chocolate chopstick chunk cider cilantro cinnamon circle clamp clasp clay
clingfilm clip cloth clove clutch cm cocoa coconut coffee colander collar comb compost computer
concealer concrete connector container cooker cookie cooktop cooler cord coriander cork corn corner
cornstarch cotton couch counter countertop court crab cracker cranberry crankshaft crate crayon
cream crease crepe crispy crochet crumb crust cucumber cuff cumin cup cupboard cupcake curl curler
curry curtain cushion custard cutter cylinder dashboard deck denim desk detergent dill dipstick disc
dish dishwasher dog doll door dough doughnut dowel drawer dress dressing drill driver drone drop
drywall dumbbell dumpling dust duster dustpan ear edge egg eggplant elastic elbow engine envelope
epoxy exhaust eye eyebrow eyelash eyelid eyeliner eyeshadow fabric face faucet felt fence fender
fennel fern fertilizer fig filet fillet filling filter finger fire fish fitting flange flashlight
fleece floor floss flour flower flowerpot fluid foam foil foliage fondant food foot fork foundation
frame freezer fridge fringe frosting fruit funnel furniture fuse garden garland garlic gasket gauge
gear gelatin gem gift ginger glass glaze glitter glove glue goal goggles golden gram
granola grape grass grater gravy gray green greenhouse grey griddle grill grinder grits groove grout
guitar gutter hair hairbrush hairspray half ham hammer hand handle handlebar hanger hatch
head headlight headphone hedge heel helmet hem herb highlighter hinge hip hoe hole honey hood hook
hoop horse hose hub ice icing ignition inch ingredient ink insulation iron jack jacket jam jar jaw
jean jeans jelly jigsaw joint jug juice kale kayak kennel ketchup kettle key keyboard kit kite knee
knife knob knot lace ladder ladle lamb lamp laptop lash latch laundry lawn layer leaf leash leather
ledge leek leg lemon lemonade lens lentil lettuce lever lid lime liner lining lip lipstick liquid
lobster lock log loop lotion lug lumber lump macaroni magnet makeup mallet mango manifold margarine
marinade marker marshmallow mascara mat mattress mayo mayonnaise meat meatball melon meringue metal
microphone microwave milk mint mirror mixer mixture mm moisturizer mold monitor mop mortar motor
motorcycle mould mouse mouth mower mozzarella mud muffin muffler mug mulch mushroom mustard nail
napkin neck needle net newspaper noodle nose nozzle nut nutmeg oat oatmeal oil okra olive omelette
onion opener orange orchid oregano origami ounce outlet oven pad paddle padlock paint paintbrush
palm pan pancake panel pants papaya paper papier paprika parchment parmesan parrot parsley pasta
paste pastry patch pattern patty pea peach peanut pear pearl pebble pecan pedal peel peeler peg pen
pencil pepper petal phone photo piano pickle picture pie piece pile pillow pin pine pineapple pink
pipe piping pistachio piston pitcher pizza placemat plank plant planter plaster plastic plate
platter pleat plier pliers plug plywood pocket polish pompom ponytail pork post pot potato pound
powder prawn pretzel primer printer processor pruner pudding pulley pump pumpkin puppy puree purple
putty quilt quinoa rabbit rack racket radiator rag raisin rake ram raspberry ratchet razor rectangle
red refrigerator remote resin ribbon ribs rice rim ring rivet roast rock rod roller roof
root rope rose rosemary rotor router row rubber ruffle rug ruler saddle saffron salad salmon salsa
salt sand sander sandpaper sandwich sauce saucepan sausage saw sawdust scale scallion scalp scarf
scissor scissors scrap scraper screen screw screwdriver sealant seam seasoning seat seatbelt seed
seedling sensor sequin sewing shaft shallot shampoo shears sheet shelf shell shim shin shingle shirt
shoe shoelace shoulder shovel shrimp shrub sieve silicone sim sink skateboard skein skewer ski
skillet skin skirt sleeve slice slot smoke snow snowboard soap sock socket soda sofa soil solder
soup spacer spade spaghetti spark spatula speaker spice spinach spoke sponge spoon spring sprinkle
sprout square squash squeegee stack stain stake stalk stamp staple stapler starter steak steam steel
steering stem stencil stew stick sticker stitch stock stone stove strainer strap straw strawberry
string strip stud sugar suit suitcase sunflower surfboard sushi sweater switch sword syrup
table tablespoon tablet taco tamarind tank tap tape target tassel tbsp tea teapot teaspoon template
tent thermometer thermostat thigh thread thumb thyme tie tile timber tin tire tissue toast toaster
toe tofu toilet tomato tong tool toolbox toothbrush toothpaste topping torch torso tortilla towel
transmission trash tray tree triangle tripod trouser trousers trowel truck trunk tsp tub tube tubing
tulle tumbler tuna turkey turmeric turnip tv tweezer tweezers twig twine tyre umbrella utensil
vacuum valve van vanilla varnish vase vegetable veggie vehicle velcro vinaigrette vine vinegar vise
wall walnut wardrobe washer water watering watermelon webcam wedge weed wet wheat wheel whisk white
wig window windscreen windshield wine wiper wire wok wood wooden wool wrapper wreath wrench wrist
yarn yeast yellow yoghurt yogurt yolk zest zip zipper zucchini
""".split()
)
"""Things that can be seen, with colours and materials; singular, unless they have none."""

CHATTER = frozenset(
    """
actually alright amazing amazon answer anybody anyway anyways ask asked awesome basically beautiful
believe birthday blog bought brother business buy bye channel cheap children christmas comment
comments company cool cost cute dad daughter definitely description difficult dollars easy enjoy
enjoyed episode er everybody everyone excited expensive facebook family fantastic father favorite
favourite feel felt folks forget friend friends funny glad goodbye gorgeous grandma grandmother
guess guys happy hate hello hey hi hmm holiday honestly hope hopefully husband idea ideas important
instagram kids know life link links literally love loved maybe mom money month months mother mum
neighbor neighbour nervous notification obviously ok okay patreon people person pinterest playlist
podcast price probably problem proud question questions really reason remember review said say
school simple sister snapchat somebody son sorry sponsor sponsored sponsors stay store story
subscribe subscriber subscription talk talking tell thank thanks think thought thumbs today told
tomorrow totally trust tuned tutorial tutorials twitter uh uhh um umm upload video videos vlog
watching weather website week weekend weeks welcome wife wish wonder wondering yeah year years yep
yesterday youtube youtuber
""".split()
)
"""What people talk about when they do not name what is seen. Greetings, thanks, opinions, life."""

CHATTER_PHRASES = (
    "thank you",
    "thanks for",
    "see you",
    "let me know",
    "let us know",
    "thumbs up",
    "like button",
    "subscribe button",
    "check out",
    "my name is",
    "welcome back",
    "my channel",
    "this video",
    "the video",
    "next time",
    "i have been",
    "i've been",
    "i was",
    "when i",
    "used to",
    "a lot of you",
    "some of you",
    "feel free",
    "take care of yourself",
    "have a great",
    "have a nice",
    "have a good",
    "have a lovely",
    "no need",
    "don't worry",
    "make sure you",
    "as always",
    "by the way",
    "of course",
    "to be honest",
    "in the comments",
    "i think",
    "i guess",
    "i don't know",
    "i love",
    "i like",
    "i hope",
    "i wanted",
    "i would",
    "it's been",
    "that's it",
    "is it for",
    "talk about",
    "talking about",
    "going to be",
    "where was i",
    "give up",
)
"""Two words or more of chatter; in lower case, as `howto.clip.words.words` splits them."""

POINTERS = frozenset(
    """
across around carefully clockwise diagonally down downwards evenly firmly gently halfway here inside
into like next now onto over sideways slowly then these this thoroughly through tightly together
under underneath up upwards
""".split()
)
"""Words that point at what is happening, or say where to and how."""

_DOUBLED = frozenset("bdglmnprt")
_SHORTEST_STEMS = {"ies": 1, "ied": 1, "s": 2}  # t-ied, eg-gs; else 3


def base_forms(word: str) -> list[str]:
    """Return the forms under which a word may stand in a list: itself, then what it may come from.

    Rules of English spelling, without a dictionary: `slicing` may come from `slic`, `slice`.

    Args:
        word: in lower case.
    """
    forms = [word.removesuffix("'s")]
    for suffix, endings in _INFLECTIONS:
        stem = word.removesuffix(suffix)
        if stem == word or len(stem) < _SHORTEST_STEMS.get(suffix, 3):
            continue
        forms += [stem + ending for ending in endings]
        if suffix in ("ed", "ing") and stem[-1] == stem[-2] and stem[-1] in _DOUBLED:
            forms.append(stem[:-1])
    return forms


_INFLECTIONS = (
    ("ies", ("y", "ie")),
    ("ied", ("y", "ie")),
    ("ves", ("f", "fe")),
    ("es", ("", "e")),
    ("s", ("",)),
    ("ing", ("", "e")),
    ("ed", ("", "e")),
)
