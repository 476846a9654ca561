/* The weights of the search: Sphinx's own, but that a heading or a name that matches comes before pages that contain
   the words. So the text of an error leads to its entry. */
var Scorer = {
  score: ([, , anchor, , score]) => score + (anchor ? 10 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
