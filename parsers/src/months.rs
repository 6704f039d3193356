//! The names of the months in languages that agents speak, from the locales of the C library.

use std::collections::BTreeSet;

/// Full names, then short ones, of each language. English ones are read without.
const LANGUAGES: [&[&str]; 48] = [
    pure_rust_locales::cs_CZ::LC_TIME::MON,
    pure_rust_locales::cs_CZ::LC_TIME::ABMON,
    pure_rust_locales::da_DK::LC_TIME::MON,
    pure_rust_locales::da_DK::LC_TIME::ABMON,
    pure_rust_locales::de_DE::LC_TIME::MON,
    pure_rust_locales::de_DE::LC_TIME::ABMON,
    pure_rust_locales::el_GR::LC_TIME::MON,
    pure_rust_locales::el_GR::LC_TIME::ABMON,
    pure_rust_locales::es_ES::LC_TIME::MON,
    pure_rust_locales::es_ES::LC_TIME::ABMON,
    pure_rust_locales::et_EE::LC_TIME::MON,
    pure_rust_locales::et_EE::LC_TIME::ABMON,
    pure_rust_locales::fi_FI::LC_TIME::MON,
    pure_rust_locales::fi_FI::LC_TIME::ABMON,
    pure_rust_locales::fr_FR::LC_TIME::MON,
    pure_rust_locales::fr_FR::LC_TIME::ABMON,
    pure_rust_locales::hr_HR::LC_TIME::MON,
    pure_rust_locales::hr_HR::LC_TIME::ABMON,
    pure_rust_locales::hu_HU::LC_TIME::MON,
    pure_rust_locales::hu_HU::LC_TIME::ABMON,
    pure_rust_locales::it_IT::LC_TIME::MON,
    pure_rust_locales::it_IT::LC_TIME::ABMON,
    pure_rust_locales::lt_LT::LC_TIME::MON,
    pure_rust_locales::lt_LT::LC_TIME::ABMON,
    pure_rust_locales::lv_LV::LC_TIME::MON,
    pure_rust_locales::lv_LV::LC_TIME::ABMON,
    pure_rust_locales::nb_NO::LC_TIME::MON,
    pure_rust_locales::nb_NO::LC_TIME::ABMON,
    pure_rust_locales::nl_NL::LC_TIME::MON,
    pure_rust_locales::nl_NL::LC_TIME::ABMON,
    pure_rust_locales::pl_PL::LC_TIME::MON,
    pure_rust_locales::pl_PL::LC_TIME::ABMON,
    pure_rust_locales::pt_BR::LC_TIME::MON,
    pure_rust_locales::pt_BR::LC_TIME::ABMON,
    pure_rust_locales::ro_RO::LC_TIME::MON,
    pure_rust_locales::ro_RO::LC_TIME::ABMON,
    pure_rust_locales::ru_RU::LC_TIME::MON,
    pure_rust_locales::ru_RU::LC_TIME::ABMON,
    pure_rust_locales::sk_SK::LC_TIME::MON,
    pure_rust_locales::sk_SK::LC_TIME::ABMON,
    pure_rust_locales::sl_SI::LC_TIME::MON,
    pure_rust_locales::sl_SI::LC_TIME::ABMON,
    pure_rust_locales::sv_SE::LC_TIME::MON,
    pure_rust_locales::sv_SE::LC_TIME::ABMON,
    pure_rust_locales::tr_TR::LC_TIME::MON,
    pure_rust_locales::tr_TR::LC_TIME::ABMON,
    pure_rust_locales::uk_UA::LC_TIME::MON,
    pure_rust_locales::uk_UA::LC_TIME::ABMON,
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
