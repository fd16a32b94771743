/**
 * The English stop words of the NLTK list that can survive Porter2 stemming, without forms holding an apostrophe. LanceDB removes stop words
 * *after* stemming, so "does" (stemmed to "doe") stays a term, and "beings" (stemmed to "be") goes.
 */
export const STOP_WORDS: ReadonlySet<string> = new Set(
  `a about after again against ain all am an and are aren as at be been below between both but by can couldn d did didn do doesn don
  down each few for from further had hadn has hasn have haven having he her here herself him himself his how i if in into is isn it
  itself just ll m ma me mightn more most mustn my myself needn no nor not now o of off on or other our out over own re s same shan
  she should shouldn so some such t than that the their them then there these they this those through to too under until up ve was
  wasn we were weren what when where which while who whom will with won wouldn y you your yourself`.split(/\s+/),
);
