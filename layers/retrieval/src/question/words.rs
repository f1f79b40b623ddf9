//! Words of questions that say nothing of what is asked about: words that ask, auxiliaries, particles, light verbs.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::terms::terms;

/// By language: English, Hindi, Marathi, Tamil, Telugu, Gujarati, Kannada, Malayalam, Punjabi, Bengali, and Hindi as it
/// is written in Latin letters. Words that one of them shares with English terms of trade (`par`) are left out.
const EMPTY_WORDS: [&str; 11] = [
    "must shall may might need much many long soon high low large far often any happen happens",
    "क्या है हैं हो हों होता होती होते होना होनी होने होगा होगी होंगे होंगी हुआ हुई हुए था थी थे रहेगा रहेगी रहेंगे \
     जाए जाएगा जाएगी जाएंगे जाता जाती जाते गया गई करना करनी करने करें करेगा करेंगे किया चाहिए पड़ता पड़ती पड़ेगा पड़ेगी सकता सकती सकते \
     देना देनी मिल मिलता मिलेगा मिलेगी का की के को में से पर तक ने तो भी ही कि और या यह वह ये वे इस उस इन उन कौन \
     सा सी से किस किसी कुछ कैसे क्यों अगर यदि लिए साथ ज़्यादा कम",
    "आहे आहेत होता होती होते असेल असते असतो होईल होते करावे करावी करायचे करणे लागेल लागते शकतो शकते शकता पाहिजे चा \
     ची चे च्या ला ना मध्ये आणि किंवा तर हे हा ही ते तो ती काय कोणता कोणती कोणते कसे का",
    "என்ன எது எந்த எவை எப்படி ஏன் ஆகும் உள்ளது உள்ளன இருக்கும் இருக்கிறது இருக்கலாம் இருக்க இருந்தால் வேண்டும் \
     வேண்டியது முடியும் செய்ய செய்யலாம் ஒரு மற்றும் அல்லது என்று",
    "ఏమిటి ఏది ఏ ఎలా ఎందుకు ఉంది ఉన్నాయి ఉంటుంది ఉండాలి ఉండవచ్చు చేయాలి అవుతుంది కావాలి మరియు లేదా ఒక ఈ ఆ",
    "શું કયું કયો કેવી છે છો હતું હતી હશે થશે થાય જોઈએ શકે શકાય કરવું કરવાનું માં ને ના ની નો નું થી અને કે તો આ તે",
    "ಏನು ಯಾವ ಯಾವುದು ಹೇಗೆ ಏಕೆ ಇದೆ ಇವೆ ಆಗಿದೆ ಆಗುತ್ತದೆ ಇರಬೇಕು ಇರಬಹುದು ಮಾಡಬೇಕು ಬೇಕು ಮತ್ತು ಅಥವಾ ಒಂದು ಈ ಆ",
    "എന്ത് എന്താണ് ഏത് എങ്ങനെ ആണ് ഉണ്ട് ഉണ്ടോ ആകും ആകാം വേണം കഴിയും ഒരു ഈ ആ അല്ലെങ്കിൽ",
    "ਕੀ ਕਿਹੜਾ ਕਿਹੜੀ ਕਿਵੇਂ ਹੈ ਹਨ ਸੀ ਹੋਵੇ ਹੋਵੇਗਾ ਹੋਵੇਗੀ ਹੋਣਾ ਚਾਹੀਦਾ ਚਾਹੀਦੀ ਸਕਦਾ ਸਕਦੀ ਦਾ ਦੀ ਦੇ ਨੂੰ ਵਿੱਚ ਵਿਚ ਤੋਂ ਨਾਲ ਅਤੇ ਜਾਂ ਇਹ",
    "কী কি কোন কোনটি কেমন কেন হয় হবে আছে ছিল করতে করা লাগবে পারে পারি উচিত এর এবং বা একটি এই সে থেকে",
    "kya hai hain tha thi ho hoga hogi honge hona karna karni chahiye sakta sakti sakte padega ka ki ke ko mein kab \
     kitna kitne kitni kaun kisko kahan",
];

static EMPTY_TERMS: LazyLock<HashSet<String>> =
    LazyLock::new(|| EMPTY_WORDS.iter().flat_map(|words| terms(words)).collect());

/// Whether a term of a question says nothing of what is asked about.
pub(super) fn is_empty(term: &str) -> bool {
    EMPTY_TERMS.contains(term)
}
