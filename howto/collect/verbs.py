"""Whether a task is visual: its main verb is a physical action, as in the paper's choice of tasks.

HowTo100M kept the WikiHow tasks whose primary verb is a physical action (make, build, change) and
dropped the others (be, accept, feel); its word lists are not published, and these are our own. A
verb in neither list counts as physical, and the verdict says so: a task kept for nothing costs some
videos, a task dropped for nothing is seen by nobody.
"""

import re
from dataclasses import dataclass

__all__ = ["ABSTRACT_OBJECTS", "NON_PHYSICAL", "PHYSICAL", "Verdict", "judge"]

PHYSICAL = frozenset(
    """
    add adjust aim air apply arrange assemble attach backcomb bake balance bandage bathe bead
    bend bind bite blanch bleach blend block blow boil bolt braid bread break brew broil brush
    build bury butcher button calibrate can carry carve cast catch caulk change charge chew chop
    clamp clean clear climb clip close coat coil collect color colour comb combine compost
    connect convert cook cool copy cover crack crochet cross crush cure curl cut dab dance darn
    deadhead debone decorate defrost dehydrate deliver descale detach dice dig dip disassemble
    dissolve dive do dock drain drape draw dredge dress dribble drill drink drive drop dry dunk
    dust dye eat embroider empty engrave erase etch exfoliate extract fasten feed felt fence
    fertilise fertilize file fill fillet filter finish fish fit fix flash flatten flip float
    floss fly fold frame freeze fry get gild give glaze glue grab graft grate grease grill grind
    groom grout grow gut hammer hand hang harvest heat hem hit hold hop hull husk ice inflate
    inject insert install insulate iron jack join juggle juice jump keep kick kill knead knit
    knot lace lay layer level lift light line link load lock loosen lower lubricate make
    marinate mark mash massage measure melt mend microwave milk mince mix mold mop mould mount
    move mow mulch nail oil open operate pack package paddle paint paper park paste patch peel
    perform pick pickle pierce pin pipe pitch place plait plane plant plaster play plug plumb
    poach polish pop pot pound pour prepare press prime print prune pull pump punch push put
    quilt race raise rake reattach rebuild recycle refill refinish refold reheat remove repair
    replace repot reset reshape restore restring reupholster ride rinse rip roast roll rotate
    row rub run saddle sail salt sand saute sauté saw scale scan scrape screen screw scrub seal
    season serve set sew shake shape sharpen shave shear shell shine shoot shorten shovel shred
    shuck shuffle sift simmer sketch ski skin skip slice slide smoke smooth snap sow spin splice
    split spray spread sprout squeeze stack stain start steam steep stencil sterilise sterilize
    stir stitch stop store straighten strain stretch string strip strum style surf swaddle sweep
    swim swing switch tailor tape taste tattoo taxidermy tear tenderise tenderize thaw thicken
    thin thread throw tie tighten tile till tint toast top toss tow trace train transfer
    transplant trap trim truss tune turn twist type unblock unclog unfold uninstall unlock
    unscrew unstick untangle untie upholster use vacuum varnish walk warm wash water wax weave
    weigh weld whip whisk whiten whittle winterize wipe wire wrap wring write zest
    """.split()
)

NON_PHYSICAL = frozenset(
    """
    accept accomplish achieve acknowledge admire admit advise afford agree analyse analyze
    anticipate apologise apologize appear appreciate argue ask assess assume attract avoid be
    become beg behave believe belong benefit brainstorm budget calculate calm challenge cheer
    choose cite comfort commit communicate compare compete complain comprehend concentrate
    confess confront consider contact convince cope criticise criticize date deal debate decide
    define deserve determine develop diagnose differentiate discover discuss distinguish doubt
    dream earn embrace empathise empathize encourage endure enjoy enrol enroll ensure establish
    estimate evaluate exist expect experience explain express face fall feel figure finance find
    flirt focus forget forgive function gain go grieve guess handle happen hate have heal help
    hire honor honour hope identify ignore imagine impress improve increase influence inspire
    interpret invest investigate invite judge justify know lead learn like listen live look lose
    love manage matter mean meditate meet memorise memorize mind miss motivate need negotiate
    notice obtain overcome own pass patent perceive persuade plan please pray predict prefer
    pretend prevent prioritise prioritize promise propose protect prove pursue qualify quit
    react realise realize reason recognise recognize recommend recover reduce reflect refuse
    regret reject relate relax rely remember report request research resist resolve respect
    respond retire save say see seem sense socialise socialize speak spend stand stay study
    succeed suffer suggest support suppose survive suspect talk tell thank think thrive tolerate
    travel treat trust try understand value visit vote wait want wish wonder work worry
    """.split()
)

ABSTRACT_OBJECTS = frozenset(
    """
    ability advice allowance anger anxiety apology appointment argument attention attitude
    attraction bond boundaries boyfriend breakup business career chance charisma choice choices
    comeback commitment complaint compliment compliments confidence connection conversation
    courage credit crush date debt decision decisions degree depression difference discipline
    discount discussion effort emotions energy excuse excuses expectations faith fame family
    fear feedback feelings friend friends friendship friendships fun girlfriend goal goals
    grades guilt habit habits happiness happy hobby hope humor humour idea ideas identity
    impression income insurance interest interview jealousy job joke jokes judgement judgment
    kindness knowledge lawsuit leadership license loan love mind mistake mistakes money mood
    motivation name nervousness opinion passion passport patience peace permission personality
    petition plan plans point popularity presentation pride priorities progress promise promises
    promotion proposal rapport refund relationship relationships reputation resolution
    resolutions respect responsibility resume revenge risk risks routine sacrifices scholarship
    self-esteem sense shyness skills sleep speech strategy stress success suggestion suggestions
    sympathy talk tantrum test time trust truth vacation visa vow vows weight willpower world
    worth yourself
    """.split()
)
"""What is made, given, built or changed without hands: `make friends`, `build trust`."""

# Verbs that mean what their object is: `make a cake`, `make a decision`.
_LIGHT = frozenset(
    "break build change do draw fix get give grow hold keep make manage put raise set start stop"
    " take turn win write".split()
)
# Verbs that are another action with `for` after them, and whether that is physical.
_WITH_FOR = {"care": True, "apply": False}
_PURSUING = frozenset("avoid begin keep prevent quit start stop".split())
# Before the verb: `Not Be Shy`, `Deep Fry a Turkey`, `Hard Boil an Egg`.
_LEADING = frozenset("how to not never always just also deep hard soft slow pan pressure".split())
_NOT_ADVERBS = frozenset("apply fly multiply rely reply supply".split())
_KNOWN = PHYSICAL | NON_PHYSICAL
_WORD = re.compile(r"[^\W\d_][\w'-]*")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a task is visual.

    Attributes:
        visual: it is kept.
        verb: its main verb; '' where there is no word.
        why: for a person, in a few words.
    """

    visual: bool
    verb: str
    why: str


def judge(name: str) -> Verdict:
    """Judge a task by its name, such as `Fold a Shirt` or `How to Be Happy`.

    The main verb is the first word that is no adverb (`Properly Fold a Shirt`). After a verb that
    begins or ends an activity it is that activity (`Stop Worrying`). A verb such as make counts by
    what is made (`Make Friends`).
    """
    words = [word.lower() for word in _WORD.findall(name)]
    while words and (words[0] in _LEADING or _is_adverb(words[0])):
        words.pop(0)
    if not words:
        return Verdict(True, "", "no verb was found: kept")
    verb, rest = words[0], words[1:]
    if verb in _PURSUING and rest and _infinitive(rest[0]) in _KNOWN:
        verb, rest = _infinitive(rest[0]), rest[1:]
    elif verb.endswith("ing") and verb not in PHYSICAL:
        verb = _infinitive(verb)
    if rest[:1] == ["for"] and verb in _WITH_FOR:
        what = "a physical action" if _WITH_FOR[verb] else "no physical action"
        return Verdict(_WITH_FOR[verb], verb, f"{verb} for: {what}")
    if verb in _LIGHT and (abstract := _abstract(rest)):
        return Verdict(False, verb, f"{verb} ... {abstract}: nothing that hands do")
    if verb in NON_PHYSICAL:
        return Verdict(False, verb, f"{verb}: no physical action")
    if verb in PHYSICAL or verb in _LIGHT:
        return Verdict(True, verb, f"{verb}: a physical action")
    return Verdict(True, verb, f"{verb}: in no list, taken for a physical action")


def _is_adverb(word: str) -> bool:
    return word.endswith("ly") and word not in _NOT_ADVERBS


def _abstract(words: list[str]) -> str | None:
    """The object, where it is nothing that can be held: the last word before a preposition."""
    objects: list[str] = []
    for word in words:
        if word in ("with", "for", "from", "in", "on", "at", "to", "of", "without", "when", "if"):
            break
        objects.append(word)
    return objects[-1] if objects and objects[-1] in ABSTRACT_OBJECTS else None


def _infinitive(gerund: str) -> str:
    """`making` gives make, `running` run, `worrying` worry; what is no gerund gives ''."""
    if not gerund.endswith("ing"):
        return ""
    stem = gerund.removesuffix("ing")
    forms = [stem, stem + "e"]
    if len(stem) > 2 and stem[-1] == stem[-2]:
        forms.append(stem[:-1])
    return next((form for form in forms if form in _KNOWN), stem)
