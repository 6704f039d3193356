//! The names of the months in languages that agents speak, from the locales of the C library.

use std::collections::BTreeSet;

use pure_rust_locales as locales;

/// Full names, then short ones, of each language. English ones are read without.
const LANGUAGES: [&[&str]; 48] = [
    locales::cs_CZ::LC_TIME::MON,
    locales::cs_CZ::LC_TIME::ABMON,
    locales::da_DK::LC_TIME::MON,
    locales::da_DK::LC_TIME::ABMON,
    locales::de_DE::LC_TIME::MON,
    locales::de_DE::LC_TIME::ABMON,
    locales::el_GR::LC_TIME::MON,
    locales::el_GR::LC_TIME::ABMON,
    locales::es_ES::LC_TIME::MON,
    locales::es_ES::LC_TIME::ABMON,
    locales::et_EE::LC_TIME::MON,
    locales::et_EE::LC_TIME::ABMON,
    locales::fi_FI::LC_TIME::MON,
    locales::fi_FI::LC_TIME::ABMON,
    locales::fr_FR::LC_TIME::MON,
    locales::fr_FR::LC_TIME::ABMON,
    locales::hr_HR::LC_TIME::MON,
    locales::hr_HR::LC_TIME::ABMON,
    locales::hu_HU::LC_TIME::MON,
    locales::hu_HU::LC_TIME::ABMON,
    locales::it_IT::LC_TIME::MON,
    locales::it_IT::LC_TIME::ABMON,
    locales::lt_LT::LC_TIME::MON,
    locales::lt_LT::LC_TIME::ABMON,
    locales::lv_LV::LC_TIME::MON,
    locales::lv_LV::LC_TIME::ABMON,
    locales::nb_NO::LC_TIME::MON,
    locales::nb_NO::LC_TIME::ABMON,
    locales::nl_NL::LC_TIME::MON,
    locales::nl_NL::LC_TIME::ABMON,
    locales::pl_PL::LC_TIME::MON,
    locales::pl_PL::LC_TIME::ABMON,
    locales::pt_BR::LC_TIME::MON,
    locales::pt_BR::LC_TIME::ABMON,
    locales::ro_RO::LC_TIME::MON,
    locales::ro_RO::LC_TIME::ABMON,
    locales::ru_RU::LC_TIME::MON,
    locales::ru_RU::LC_TIME::ABMON,
    locales::sk_SK::LC_TIME::MON,
    locales::sk_SK::LC_TIME::ABMON,
    locales::sl_SI::LC_TIME::MON,
    locales::sl_SI::LC_TIME::ABMON,
    locales::sv_SE::LC_TIME::MON,
    locales::sv_SE::LC_TIME::ABMON,
    locales::tr_TR::LC_TIME::MON,
    locales::tr_TR::LC_TIME::ABMON,
    locales::uk_UA::LC_TIME::MON,
    locales::uk_UA::LC_TIME::ABMON,
];
const ENGLISH: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The twelve names of each language that has all of `words`; an empty list for English. Full
/// stops behind short names are no part of them.
pub(crate) fn languages(words: &BTreeSet<&str>) -> Vec<Vec<String>> {
    let words: BTreeSet<String> = words.iter().map(|word| word.to_lowercase()).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let english = |word: &String| ENGLISH.iter().any(|month| word.starts_with(month));
    let mut found: Vec<Vec<String>> = Vec::new();
    if words.iter().all(english) {
        found.push(Vec::new());
    }
    for language in LANGUAGES {
        let names: Vec<String> =
            language.iter().map(|name| name.trim_end_matches('.').to_lowercase()).collect();
        let known = words.iter().all(|word| names.contains(word));
        if known && names.len() == 12 && !found.contains(&names) {
            found.push(names);
        }
    }
    found
}
