/** English words that carry no topic: they are left out, unless a text has nothing else. */
export const STOP_WORDS = `
a about above after again all also am an and any are as at be because been before being below between both but by can
could did do does doing down during each few for from further had has have having he her here hers him his how i if in
into is it its itself just may me might more most must my no nor not now of off on once only or other our out over own
per same she should so some such than that the their them then there these they this those through to too under until
up upon us very was we were what when where which while who whom why will with would you your
`;

/** Words so frequent in English prose of any subject that they say little: they count less. A static stand-in for document frequencies. */
export const COMMON_WORDS = `
able according account across act added addition additional against almost along already although always among amount
another appear applied apply approach approximately area around associated assumed available away back based basic
basis become becomes behind best better beyond big body calculated calculation calculations call came case cases cause
certain change changes chapter clear close come common compare compared comparison complete concerned conclusion
conclusions condition conditions consider considerable consideration considered consist contain corresponding current
data day deal degree depend dependent derived described describes design detail detailed details determination
determine determined develop developed development difference different difficult direct directly discuss discussed
discusses discussion due effect effective effects either employed end equal especially essentially establish estimate
evaluation even evidence exact examined example examples except exist existing experiment experimental experiments
extended extent fact factor factors find finding first five following follows form forms found four function general
generally get give given gives giving go good great greater group half hand help high higher however idea important
improved include included includes including increase increased increases indicate indicated indicates individual
influence information instead interest introduced investigate investigated investigation involved involving kind know
known large larger last later lead least left less let like likely limit limited limits line little long look low
lower made main major make makes making many matter mean means measured measurement measurements mention method
methods moderate much name namely nature near nearly necessary need new next note number numbers obtain obtained
obtaining occur often old one ones order original others paper part particular particularly past people performed
place point points position possible practical practice predict predicted prediction presence present presented
presents previous previously principle probably problem problems procedure produce produced program proper properties
proposed provide provided provides purpose put question quite range rather ratio read reason reasonable recent
recently reduced reference regard region regions related relation relations relative relatively report reported
required respect result resulting results right said satisfactory say second section see seem seems seen sense set
several show showed showing shown shows significant similar simple simply since single six size small smaller solution
solutions solve solved something special specific start state stated step still studied studies study subject
sufficient sufficiently suggest suggested suitable summary system take taken takes technique techniques terms test
tested tests theoretical theory thing think third thought three thus time times together total toward treated
treatment true try two type types typical understand unit use used useful uses using usual usually value values
various vary varying version view want way ways well whether whole wide within without work works world year years yet
yield zero
`;
