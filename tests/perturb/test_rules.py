"""Each rule on sentences written by hand: what it makes of them, and what it leaves alone (None)."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest

pytest.importorskip("spacy", reason="needs the extra `perturb`")
pytest.importorskip("lemminflect", reason="needs the extra `perturb`")

from compret.perturb.perturber import all_rules
from compret.perturb.pipeline import load_pipeline
from compret.perturb.types import Skip

CASES = {
    "negation": [
        ("The committee approved the new budget.", "The committee did not approve the new budget."),
        ("She has finished the report.", "She has not finished the report."),
        ("The door can be opened from inside.", "The door cannot be opened from inside."),
        ("He did not sign the contract.", "He signed the contract."),
        ("The museum isn't open on Mondays.", "The museum is open on Mondays."),
        ("They won't sell the house.", "They will sell the house."),
        ("She has never visited Rome.", "She has visited Rome."),
        ("He opened the letter and burned it.", "He opened the letter and did not burn it."),
        ("which countries joined the treaty ?", "which countries did not join the treaty ?"),
        ("Why did the king leave the city?", "Why did the king not leave the city?"),
        ("What are the risks related to smoking?", "What are the risks not related to smoking?"),
        ("the drug is also used in children .", "the drug is also not used in children ."),
        ("Is the museum open on Mondays?", None),  # the negated question asks the same
        ("Doesn't the shop sell bread?", None),
        ("He did not have any money.", None),  # `any` would be left without its negation
        ("It is not a bird but a bat.", None),
    ],
    "scope": [
        ("All members of the board resigned.", "Not all members of the board resigned."),
        ("Not all employees agreed.", "All employees agreed."),
        ("Only the doctor read the letter.", "The doctor read only the letter."),
        ("The doctor read only the letter.", "Only the doctor read the letter."),
        ("The minister said that the bridge was not safe.", "The minister did not say that the bridge was safe."),
        ("She thinks that he is not ready.", None),  # `does not think that he is` means the same
        ("Are all members present?", None),
        ("Only Jones has ever won the cup.", None),  # `ever` needs the `only` before it
    ],
    "role-swap": [
        ("The teacher praised the student.", "The student praised the teacher."),
        ("The king was murdered by his brother.", None),  # `his` would stand before its king
        ("The police were attacked by a dog.", "A dog was attacked by the police."),
        ("The bus runs daily from Leeds to York.", None),
        ("They moved from Berlin to Vienna.", "They moved from Vienna to Berlin."),
        ("The story was told by the guard to the king.", None),
        ("Anna met Peter.", None),  # symmetric
        ("The engineer designed a bridge.", None),  # a bridge designs nothing
        ("Stress can cause pain.", "Pain can cause stress."),
        ("Who led the army?", "Who did the army lead?"),
        ("What causes asthma?", "What does asthma cause?"),
        ("Prices range from ten euros to twelve euros.", None),
    ],
    "attribute-binding": [
        ("She wore a red hat and black shoes.", "She wore a black hat and red shoes."),
        ("A large dog chased a small cat.", "A small dog chased a large cat."),
        ("The old man sold an ancient coin.", "The ancient man sold an old coin."),
        ("The British army fought the French navy.", "The French army fought the British navy."),
        ("She wore a red hat and heavy shoes.", None),  # of two classes
        ("The red hat and the red scarf are hers.", None),
        ("A hat and shoes lay on the red chair.", None),
    ],
    "value-binding": [
        ("The team has three coaches and nine players.", "The team has nine coaches and three players."),
        ("The bridge was built in 1901 and destroyed in 1944.", "The bridge was built in 1944 and destroyed in 1901."),
        ("Sales rose 5 percent while costs fell 12 percent.", "Sales rose 12 percent while costs fell 5 percent."),
        ("He was mayor from 1901 to 1944.", None),  # a range
        ("The team has three coaches.", None),
        ("Between two and five people came.", None),
        ("The box holds 3 pens and three pencils.", None),  # the same number
    ],
    "spatial": [
        ("The lamp hangs above the table.", "The lamp hangs below the table."),
        ("He lives in northern Italy.", "He lives in southern Italy."),
        ("The castle lies to the north of the river.", "The castle lies to the south of the river."),
        ("Turn left at the church.", None),  # no side of anything
        ("The pain is in the left arm.", "The pain is in the right arm."),
        ("He left the house.", None),
        ("These are basic human rights.", None),
        ("kanye west released an album .", None),
    ],
    "temporal": [
        ("He ate before the meeting.", "He ate after the meeting."),
        ("It was the first book in the series.", "It was the last book in the series."),
        ("The shop opened in early 1990.", "The shop opened in late 1990."),
        ("The meeting is on Tuesday.", "The meeting is on Saturday."),
        ("At first he agreed.", None),
        ("They fought in the first world war.", None),
        ("He was named after his uncle.", None),
        ("You may leave now.", None),  # no month
    ],
    "comparison": [
        ("Gold is heavier than silver.", "Silver is heavier than gold."),
        ("Gold is heavier than silver.", "Gold is lighter than silver."),
        ("It is the largest lake in Africa.", "It is the smallest lake in Africa."),
        ("More than 200 people came.", "Fewer than 200 people came."),
        ("It cost more than $ 200.", "It cost less than $ 200."),
        ("at least five people died .", "at most five people died ."),
        ("He is no longer a member.", None),
        ("It is more or less finished.", None),
        ("The two are equal.", None),
    ],
    "quantity": [
        ("The dog ate two apples.", "The dog ate four apples."),
        ("Many students passed the exam.", "Few students passed the exam."),
        ("He is often late.", "He is rarely late."),
        ("All windows were open.", "Some windows were open."),
        ("All the windows were open.", "Some of the windows were open."),
        ("How many students passed?", None),
        ("One should not lie.", None),
        ("Chapter 12 is short.", None),
        ("He scored 100 percent.", None),
    ],
    "entity": [
        ("They moved to Paris in 1990 and to Rome in 1995.", "They moved to Rome in 1990 and to Paris in 1995."),
        ("He worked in Paris and his wife studied in Rome.", "He worked in Rome and his wife studied in Paris."),
        ("Anna left early while Peter stayed.", "Peter left early while Anna stayed."),
        ("He worked in Paris and his wife studied in Paris.", None),
        ("He worked in May and rested in June.", None),  # dates
        ("He worked in Athens, Greece and studied in Rome.", None),
    ],
    "passive": [
        ("The architect designed the museum in 1901.", "The museum was designed by the architect in 1901."),
        ("The museum was designed by a young architect.", "A young architect designed the museum."),
        ("He was arrested by the police.", "The police arrested him."),
        ("The company has sold the building.", "The building has been sold by the company."),
        ("The court will publish the results.", "The results will be published by the court."),
        ("They play a game developed by Nintendo.", "They play a game that Nintendo developed."),
        ("It is a film directed by Peyton, and based on a game.", None),
        ("The box weighs two pounds.", None),  # stative
        ("The men set sail.", None),  # an idiom
        ("Every student read a book.", None),  # scope
        ("The dog bit the man and ran away.", None),
        ("The letter was written by hand.", None),
        ("You see the tower from here.", None),
    ],
    "converse": [
        ("The farmer owns the field.", "The field belongs to the farmer."),
        ("The bank sold the house to a doctor.", "A doctor bought the house from the bank."),
        ("The teacher gave a book to the student.", "The student received a book from the teacher."),
        ("Oil is lighter than water.", "Water is heavier than oil."),
        ("Smoking can cause cancer.", "Cancer can result from smoking."),
        ("Stress can cause headaches.", "Headaches can result from stress."),
        ("The lamp is above the table.", "The table is below the lamp."),
        ("The policy gave rise to protests.", None),
        ("Does the farmer own the field?", None),
        ("France won the match.", None),
    ],
    "clause-order": [
        ("When the rain stopped, we went home.", "We went home when the rain stopped."),
        ("We went home when the rain stopped.", "When the rain stopped, we went home."),
        ("the school opened on july 9 , 1955 .", "on july 9 , 1955 , the school opened ."),
        ("In 1901, the school opened.", "The school opened in 1901."),
        ("When John came, he left.", None),  # `he` might be John
        ("He did not leave because he was ill.", None),
        ("If you are cold, do you close the window?", None),
    ],
    "contractions": [
        ("The shop is not open.", "The shop isn't open."),
        ("They don't know the answer.", "They do not know the answer."),
        ("It is raining again.", "It's raining again."),
        ("the shop is not open .", "the shop is n't open ."),
        ("You can't leave now.", "You cannot leave now."),
        ("Some agreed; others did not.", None),
        ("I know what it is.", None),
        ("Isn't it open?", None),
    ],
    "coordination": [
        ("The king and queen arrived.", "The queen and king arrived."),
        ("She bought bread and milk.", "She bought milk and bread."),
        ("He sold a chair and an old table.", "He sold an old table and a chair."),
        ("It has red walls and green doors.", "It has green doors and red walls."),
        ("We saw lions, tigers, and bears.", "We saw tigers, lions, and bears."),
        ("Old men and women sang.", None),  # `old` may hold both
        ("He chose between tea and coffee.", None),
        ("Tom and Ann got a car and a bike respectively.", None),
        ("He read War and Peace.", None),
    ],
    "double-negation": [
        ("The cause is unknown.", "The cause is not known."),
        ("A mistake is possible.", "A mistake is not impossible."),
        ("She is unable to walk.", "She is not able to walk."),
        ("The claim is untrue.", "The claim is not true."),
        ("He is not unable to walk.", None),
        ("Neither was able to walk.", None),
        ("He is unhappy.", None),  # neither happy nor unhappy is possible
        ("This is the best possible result.", None),
    ],
    "synonym": [
        ("It costs approximately $ 50.", "It costs roughly $ 50."),
        ("Although he was tired, he worked.", "Even though he was tired, he worked."),
        ("He began to sing.", "He started to sing."),
        ("For example, dogs bark.", "For instance, dogs bark."),
        ("It is due to the rain.", None),
        ("Dogs bark.", None),
    ],
}
ROWS = [(category, *case) for category, cases in CASES.items() for case in cases]


def edits(category: str, text: str) -> list[str]:
    made: list[str] = []
    for sent in load_pipeline()(text).sents:
        with suppress(Skip):
            made += [new for new in all_rules()[category].apply(sent, Random(0)) if new is not None]
    return made


@pytest.mark.parametrize(("category", "text", "expected"), ROWS)
def test_a_rule_does_what_is_expected_of_it(category: str, text: str, expected: str | None) -> None:
    assert expected in edits(category, text) if expected else not edits(category, text)


def test_every_category_has_its_table() -> None:
    assert set(CASES) == set(all_rules())
    assert all(len(cases) >= 5 for cases in CASES.values())
