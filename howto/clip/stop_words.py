"""The English words that were left out of captions when the published ones were made.

The authors removed the Glasgow list, extended with spoken fillers. This list is our own: the
function words of English with their contractions, number words, verbs and nouns too general to be
seen (`put`, `side`, `video`), and the fillers of people who talk while they work. It is held
against the published captions, which are what is left after theirs: docs/pairs.md says how near it
comes.
"""

__all__ = ["STOP_WORDS"]

_FUNCTION_WORDS = """
a an the this that these those
i me my mine myself you your yours yourself yourselves he him his himself she her hers herself
it its itself we us our ours ourselves they them their theirs themselves
who whom whose which what where when why how whether
and or but nor yet so if then else than because as since until though although while whereas
of at by for with about against between through during before after above below to from up down in
out on off over onto upon within without across along around behind beside besides beyond toward
towards via per among amongst amid throughout together except
am is are was were be been being do does did done have has had
become becomes became becoming seem seems
can could may might must shall should will would cannot
not no none neither either both each every any some all many much more most few less least
several enough such own same other others another various
here there again once ever never always often sometimes already still just only even also too very
now
anything something nothing everything anyone someone everyone nobody
somehow sometime anyhow anyway anyways anywhere somewhere nowhere everywhere elsewhere
whatever whenever wherever whoever however
therefore thus hence otherwise meanwhile moreover furthermore indeed perhaps maybe rather almost
mostly well due regarding
"""

_NUMBERS = """
one two three four five six eight nine ten eleven twelve fifteen twenty forty fifty sixty hundred
first third last next latter former
"""

_GENERAL = """
put take keep made show give find call name need want look try describe see say know
part side top bottom back amount great kind detail video today
"""

_CONTRACTIONS = """
i'm i've i'll you're you've you'll he'll it's it'll we're we've we'll we'd they're that's there's
let's don't doesn't can't won't ain't
"""

_FILLERS = """
um umm uhh uhm er erm aha oh huh hm mhm yeah yup ok okay like really actually going gonna let right
guys hey welcome thank thanks please sure bit lemme
"""

STOP_WORDS = frozenset(
    f"{_FUNCTION_WORDS} {_NUMBERS} {_GENERAL} {_CONTRACTIONS} {_FILLERS}".split()
)
"""Lower case."""
