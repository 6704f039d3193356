//! The time zones of Windows, as `systeminfo` prints them, and those that a person may name.

use std::str::FromStr;

use chrono::FixedOffset;
use chrono_tz::{TZ_VARIANTS, Tz};

/// Windows PE believes to be here, unless somebody changed its image.
pub const WINDOWS_PE: Tz = Tz::America__Los_Angeles;

/// What "Coordinated Universal Time" is called; with an offset behind it, a zone of its own.
const UTC: &str = "coordinated universal time, koordinierte weltzeit, temps universel coordonné, \
    hora universal coordinada, hora universal coordenada, tempo universal coordenado, \
    gecoördineerde wereldtijd, всемирное координированное время, 協定世界時, 协调世界时, \
    협정 세계시, utc";

/// Standard offset in minutes, zone, and the words that only this zone's names hold among those
/// of the offset. The zones are those of CLDR's `windowsZones`. `^` stands for the start of the
/// name, a `*` at the end for any letters. Accents are ignored. In the order of the offsets.
#[rustfmt::skip]
const ZONES: &[(i32, Tz, &str)] = &[
    (-720, Tz::Etc__GMTPlus12, "international date line west"),
    (-660, Tz::Etc__GMTPlus11, UTC),
    (-600, Tz::America__Adak, "aleutian islands"),
    (-600, Tz::Pacific__Honolulu, "hawaii, hawái, havaí, havaj, havaji, гавайи, ハワイ, 夏威夷, 하와이"),
    (-570, Tz::Pacific__Marquesas, "marquesas islands"),
    (-540, Tz::America__Anchorage, "alaska, alasca, аляска, アラスカ, 阿拉斯加, 알래스카"),
    (-540, Tz::Etc__GMTPlus9, UTC),
    (-480, Tz::America__Tijuana, "baja california"),
    (-480, Tz::Etc__GMTPlus8, UTC),
    (-480, Tz::America__Los_Angeles, "pacific time, pacific zeit, pacifique, pacífico, czas pacyficzny, тихоокеанское время, 太平洋標準時, 太平洋时间, 太平洋時間, 태평양 표준시"),
    (-420, Tz::America__Phoenix, "arizona, аризона, アリゾナ, 亚利桑那, 亞利桑那, 애리조나"),
    (-420, Tz::America__Mazatlan, "mazatlan"),
    (-420, Tz::America__Denver, "mountain time, montagnes rocheuses, montañas, montanhas, czas górski, горное время, 山地標準時, 山地时间, 山區時間, 산지 표준시"),
    (-420, Tz::America__Whitehorse, "yukon"),
    (-360, Tz::America__Guatemala, "central america, zentralamerika, mittelamerika, amérique centrale, américa central, centroamérica, america centrale, midden-amerika, центральная америка, 中央アメリカ, 中美洲, 중앙아메리카"),
    (-360, Tz::America__Chicago, "central time, hora central, czas środkowy, центральное время, 中部標準時, 中部时间, 中部時間, 중부 표준시"),
    (-360, Tz::Pacific__Easter, "easter island"),
    (-360, Tz::America__Mexico_City, "mexico city, mexiko-stadt, mexico, ciudad de méxico, guadalajara"),
    (-360, Tz::America__Regina, "saskatchewan, саскачеван, サスカチュワン, 萨斯喀彻温, 서스캐처원"),
    (-300, Tz::America__Bogota, "bogota, богота, ボゴタ, 波哥大, 보고타"),
    (-300, Tz::America__Cancun, "chetumal"),
    (-300, Tz::America__New_York, "eastern time, est (é.-u, hora del este, hora do leste, czas wschodni, восточное время, 東部標準時, 东部时间, 東部時間, 동부 표준시"),
    (-300, Tz::America__PortauPrince, "haiti"),
    (-300, Tz::America__Havana, "havana"),
    (-300, Tz::America__Indiana__Indianapolis, "indiana"),
    (-300, Tz::America__Grand_Turk, "turks and caicos"),
    (-240, Tz::America__Halifax, "atlantic time, atlantik, atlantique, atlántico, atlântico, атлантическое время, 大西洋標準時, 大西洋时间, 大西洋時間, 대서양 표준시"),
    (-240, Tz::America__Caracas, "caracas, каракас, カラカス, 加拉加斯, 카라카스"),
    (-240, Tz::America__Cuiaba, "cuiaba"),
    (-240, Tz::America__La_Paz, "la paz, manaus"),
    (-240, Tz::America__Santiago, "santiago, сантьяго, サンチアゴ, 圣地亚哥, 산티아고"),
    (-210, Tz::America__St_Johns, "newfoundland, neufundland, terre-neuve, terranova, terra nova, ньюфаундленд, ニューファンドランド, 纽芬兰, 紐芬蘭, 뉴펀들랜드"),
    (-180, Tz::America__Araguaina, "araguaina"),
    (-180, Tz::America__Asuncion, "asuncion"),
    (-180, Tz::America__Sao_Paulo, "brasilia, brazylia, бразилия, ブラジリア, 巴西利亚, 巴西利亞, 브라질리아, bras*"),
    (-180, Tz::America__Cayenne, "cayenne, fortaleza"),
    (-180, Tz::America__Argentina__Buenos_Aires, "buenos aires, буэнос-айрес, ブエノスアイレス, 布宜诺斯艾利斯, 부에노스아이레스"),
    (-180, Tz::America__Montevideo, "montevideo, монтевидео, モンテビデオ, 蒙得维的亚, 몬테비디오"),
    (-180, Tz::America__Punta_Arenas, "punta arenas"),
    (-180, Tz::America__Miquelon, "miquelon"),
    (-180, Tz::America__Bahia, "^salvador"),
    (-120, Tz::Etc__GMTPlus2, UTC),
    (-120, Tz::America__Nuuk, "greenland, grönland, groenland, groenlandia, groenlândia, grønland"),
    (-60, Tz::Atlantic__Azores, "azores, azoren, açores, azzorre, azorerna, azorerne, azory, азорские острова, アゾレス諸島, 亚速尔群岛, 아조레스"),
    (-60, Tz::Atlantic__Cape_Verde, "cabo verde, cape verde, kapverdische, cap-vert"),
    (0, Tz::UTC, UTC),
    (0, Tz::Europe__London, "dublin, edinburgh, london, londres, londra, londyn, londýn, londen, lontoo, дублин, лондон, ダブリン, ロンドン, 都柏林, 伦敦, 倫敦, 더블린, 런던"),
    (0, Tz::Atlantic__Reykjavik, "monrovia, reykjavik, reikiavik, reykjavík, монровия, рейкьявик, モンロビア, レイキャビク, 蒙罗维亚, 雷克雅未克, 몬로비아"),
    (0, Tz::Africa__Sao_Tome, "sao tome"),
    (60, Tz::Africa__Casablanca, "casablanca, касабланка, カサブランカ, 卡萨布兰卡, 카사블랑카"),
    (60, Tz::Europe__Berlin, "amsterdam, berlin, berlín, berlino, berlim, berlijn, berliini, stockholm, stoccolma, estocolmo, amszterdam, amsterdã, amesterdão, амстердам, берлин, アムステルダム, ベルリン, 阿姆斯特丹, 柏林, 암스테르담, 베를린"),
    (60, Tz::Europe__Budapest, "bratislava, budapest, ljubljana, pressburg, budapeszt, budapešť, budapeste, boedapest, pozsony, bratysława, братислава, будапешт, любляна, ブダペスト, 布达佩斯, 布達佩斯, 부다페스트"),
    (60, Tz::Europe__Paris, "madrid, paris, parís, parigi, parijs, paryż, paříž, pariisi, párizs, kopenhagen, copenhague, copenaghen, københavn, köpenhamn, мадрид, париж, マドリード, パリ, 马德里, 馬德里, 巴黎, 마드리드, 파리"),
    (60, Tz::Europe__Warsaw, "sarajevo, warsaw, warschau, varsovie, varsovia, varsavia, varsóvia, warszawa, varšava, varsó, zagreb, zágráb, сараево, варшава, загреб, サラエボ, ワルシャワ, 萨拉热窝, 华沙, 華沙, 바르샤바"),
    (60, Tz::Africa__Lagos, "west central africa, westl. zentralafrika, afrique centrale - ouest, afrique de l'ouest - centre, западная центральная африка, 西中央アフリカ, 中非西部, 서중앙 아프리카"),
    (120, Tz::Europe__Bucharest, "athens, bucharest, athen, bukarest, athènes, bucarest, atenas, bucareste, atene, athene, boekarest, ateny, bukareszt, atény, bukurešť, aten, ateena, athén, atina, афины, бухарест, アテネ, ブカレスト, 雅典, 布加勒斯特, 아테네, 부쿠레슈티"),
    (120, Tz::Asia__Beirut, "beirut, beyrouth, бейрут, ベイルート, 贝鲁特, 베이루트"),
    (120, Tz::Africa__Cairo, "cairo, kairo, le caire, el cairo, il cairo, káhira, kair, каир, カイロ, 开罗, 開羅, 카이로"),
    (120, Tz::Europe__Chisinau, "chisinau, кишинев"),
    (120, Tz::Asia__Hebron, "gaza, hebron"),
    (120, Tz::Africa__Johannesburg, "harare, pretoria, pretória, хараре, претория, ハラレ, プレトリア, 哈拉雷, 比勒陀利亚, 하라레"),
    (120, Tz::Europe__Kiev, "helsinki, riga, sofia, tallinn, vilnius, helsingfors, helsinky, хельсинки, рига, софия, таллин, вильнюс, ヘルシンキ, 赫尔辛基, 赫爾辛基, 헬싱키"),
    (120, Tz::Asia__Jerusalem, "jerusalem, jérusalem, jerusalén, gerusalemme, jeruzalem, jerozolima, jeruzalém, иерусалим, エルサレム, 耶路撒冷, 예루살렘"),
    (120, Tz::Africa__Juba, "juba, джуба"),
    (120, Tz::Europe__Kaliningrad, "kaliningrad, калининград, カリーニングラード, 加里宁格勒, 칼리닌그라드"),
    (120, Tz::Africa__Khartoum, "khartoum, хартум"),
    (120, Tz::Africa__Tripoli, "tripoli, триполи"),
    (120, Tz::Africa__Windhoek, "windhoek, windhuk, виндхук"),
    (180, Tz::Asia__Amman, "amman, амман"),
    (180, Tz::Asia__Baghdad, "baghdad, bagdad, багдад, バグダッド, 巴格达, 바그다드"),
    (180, Tz::Asia__Damascus, "damascus, damaskus, damas, damasco, дамаск"),
    (180, Tz::Europe__Istanbul, "istanbul, estambul, istambul, stambuł, isztambul, стамбул, イスタンブール, 伊斯坦布尔, 伊斯坦堡, 이스탄불"),
    (180, Tz::Asia__Riyadh, "kuwait, riyadh, riad, riyad, эр-рияд, кувейт, クウェート, リヤド, 科威特, 利雅得, 리야드"),
    (180, Tz::Europe__Minsk, "minsk, минск, ミンスク, 明斯克, 민스크"),
    (180, Tz::Europe__Moscow, "moscow, moskau, moscou, moscú, mosca, moscovo, moskou, moskwa, moskva, moskova, moszkva, москва, モスクワ, 莫斯科, 모스크바"),
    (180, Tz::Africa__Nairobi, "nairobi, найроби, ナイロビ, 内罗毕, 나이로비"),
    (180, Tz::Europe__Volgograd, "^volgograd, ^волгоград"),
    (210, Tz::Asia__Tehran, "tehran, teheran, téhéran, teherán, тегеран, テヘラン, 德黑兰, 테헤란"),
    (240, Tz::Asia__Dubai, "abu dhabi, abou dabi, muscat, maskat, абу-даби, アブダビ, 阿布扎比, 아부다비"),
    (240, Tz::Europe__Astrakhan, "astrakhan, астрахань"),
    (240, Tz::Asia__Baku, "baku, bakou, баку, バクー, 巴库, 바쿠"),
    (240, Tz::Europe__Samara, "izhevsk, samara, ижевск, самара"),
    (240, Tz::Indian__Mauritius, "port louis, port-louis"),
    (240, Tz::Europe__Saratov, "saratov, саратов"),
    (240, Tz::Asia__Tbilisi, "tbilisi, tiflis, тбилиси, トビリシ, 第比利斯"),
    (240, Tz::Asia__Yerevan, "yerevan, eriwan, erevan, ереван, エレバン, 埃里温"),
    (270, Tz::Asia__Kabul, "kabul, kaboul, кабул, カブール, 喀布尔, 카불"),
    (300, Tz::Asia__Tashkent, "ashgabat, tashkent, taschkent, ташкент, タシケント, 塔什干"),
    (300, Tz::Asia__Almaty, "^astana, ^астана"),
    (300, Tz::Asia__Yekaterinburg, "ekaterinburg, jekaterinburg, екатеринбург, エカテリンブルク, 叶卡捷琳堡"),
    (300, Tz::Asia__Karachi, "islamabad, karachi, karatschi, исламабад, карачи, イスラマバード, カラチ, 伊斯兰堡, 이슬라마바드"),
    (300, Tz::Asia__Qyzylorda, "qyzylorda, кызылорда"),
    (330, Tz::Asia__Kolkata, "chennai, mumbai, new delhi, neu-delhi, nueva delhi, nova délhi, nuova delhi, ченнаи, мумбаи, нью-дели, チェンナイ, ムンバイ, ニューデリー, 钦奈, 孟买, 新德里, 첸나이, 뉴델리"),
    (330, Tz::Asia__Colombo, "sri jayawardenepura"),
    (345, Tz::Asia__Kathmandu, "kathmandu, katmandou, katmandú, катманду, カトマンズ, 加德满都, 카트만두"),
    (360, Tz::Asia__Bishkek, "^bishkek, ^бишкек"),
    (360, Tz::Asia__Dhaka, "dhaka, dacca, дакка, ダッカ, 达卡, 다카"),
    (360, Tz::Asia__Omsk, "omsk, омск"),
    (390, Tz::Asia__Yangon, "yangon, rangoon, rangun, янгон, ヤンゴン, 仰光, 양곤"),
    (420, Tz::Asia__Bangkok, "bangkok, hanoi, jakarta, бангкок, ханой, джакарта, バンコク, ハノイ, ジャカルタ, 曼谷, 河内, 雅加达, 방콕"),
    (420, Tz::Asia__Barnaul, "barnaul, барнаул"),
    (420, Tz::Asia__Hovd, "hovd"),
    (420, Tz::Asia__Krasnoyarsk, "krasnoyarsk, krasnojarsk, красноярск, クラスノヤルスク, 克拉斯诺亚尔斯克"),
    (420, Tz::Asia__Novosibirsk, "novosibirsk, nowosibirsk, новосибирск, ノボシビルスク, 新西伯利亚"),
    (420, Tz::Asia__Tomsk, "tomsk, томск"),
    (480, Tz::Asia__Shanghai, "beijing, peking, pékin, pekín, pechino, pequim, pekin, пекин, 北京, 베이징"),
    (480, Tz::Asia__Irkutsk, "irkutsk, иркутск, イルクーツク, 伊尔库茨克"),
    (480, Tz::Asia__Singapore, "singapore, singapur, singapour, singapura, kuala lumpur, сингапур, シンガポール, クアラルンプール, 新加坡, 吉隆坡, 싱가포르"),
    (480, Tz::Australia__Perth, "perth, перт, パース, 珀斯, 伯斯, 퍼스"),
    (480, Tz::Asia__Taipei, "taipei, taipeh, тайбэй, 台北, 타이베이"),
    (480, Tz::Asia__Ulaanbaatar, "ulaanbaatar, ulan-bator, улан-батор"),
    (525, Tz::Australia__Eucla, "eucla"),
    (540, Tz::Asia__Chita, "^chita, ^чита"),
    (540, Tz::Asia__Tokyo, "osaka, tokyo, tokio, tóquio, tokió, ōsaka, осака, токио, 大阪, 東京, 东京, 오사카, 도쿄"),
    (540, Tz::Asia__Pyongyang, "pyongyang, пхеньян, 平壌, 平壤, 평양"),
    (540, Tz::Asia__Seoul, "seoul, séoul, seúl, seul, сеул, ソウル, 首尔, 首爾, 서울"),
    (540, Tz::Asia__Yakutsk, "yakutsk, jakutsk, якутск, ヤクーツク, 雅库茨克"),
    (570, Tz::Australia__Adelaide, "adelaide, adélaïde, аделаида, アデレード, 阿德莱德, 애들레이드"),
    (570, Tz::Australia__Darwin, "darwin, дарвин, ダーウィン, 达尔文, 다윈"),
    (600, Tz::Australia__Brisbane, "brisbane, брисбен, ブリスベン, 布里斯班, 브리즈번"),
    (600, Tz::Australia__Sydney, "canberra, melbourne, sydney, канберра, мельбурн, сидней, キャンベラ, メルボルン, シドニー, 堪培拉, 墨尔本, 悉尼, 雪梨, 시드니"),
    (600, Tz::Pacific__Port_Moresby, "guam, port moresby, гуам, グアム, 关岛, 괌"),
    (600, Tz::Australia__Hobart, "hobart, хобарт, ホバート, 霍巴特, 호바트"),
    (600, Tz::Asia__Vladivostok, "vladivostok, wladiwostok, владивосток, ウラジオストク, 符拉迪沃斯托克"),
    (630, Tz::Australia__Lord_Howe, "lord howe"),
    (660, Tz::Pacific__Bougainville, "bougainville"),
    (660, Tz::Asia__Srednekolymsk, "chokurdakh, чокурдах"),
    (660, Tz::Asia__Magadan, "^magadan, ^магадан"),
    (660, Tz::Pacific__Norfolk, "norfolk"),
    (660, Tz::Asia__Sakhalin, "sakhalin, сахалин"),
    (660, Tz::Pacific__Guadalcanal, "solomon, new caledonia"),
    (720, Tz::Asia__Kamchatka, "anadyr, анадырь"),
    (720, Tz::Pacific__Auckland, "auckland, wellington, окленд, веллингтон, オークランド, 奥克兰, 奧克蘭, 오클랜드"),
    (720, Tz::Etc__GMTMinus12, UTC),
    (720, Tz::Pacific__Fiji, "fiji, fidschi, fidji, фиджи"),
    (765, Tz::Pacific__Chatham, "chatham"),
    (780, Tz::Etc__GMTMinus13, UTC),
    (780, Tz::Pacific__Tongatapu, "nuku'alofa"),
    (780, Tz::Pacific__Apia, "samoa"),
    (840, Tz::Pacific__Kiritimati, "kiritimati"),
];

/// The zone of a display name, in any of the languages of the table, by its standard offset
/// and one of its words; `None` if none fits, or more than one.
pub fn by_display_name(offset_minutes: i32, name: &str) -> Option<Tz> {
    let name = folded(name);
    let mut found = ZONES
        .iter()
        .filter(|(offset, _, words)| {
            *offset == offset_minutes && words.split(',').any(|word| stands_in(word.trim(), &name))
        })
        .map(|(_, zone, _)| *zone);
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// Whether a word of the table stands in a folded name, not inside another word.
fn stands_in(word: &str, name: &str) -> bool {
    let word = folded(word);
    let (word, at_start) = word.strip_prefix('^').map_or((word.as_str(), false), |w| (w, true));
    let (word, open) = word.strip_suffix('*').map_or((word, false), |w| (w, true));
    let ends = |rest: Option<char>| rest.is_none_or(|letter| !letter.is_alphanumeric());
    name.match_indices(word).any(|(at, _)| {
        let (before, after) = (&name[..at], &name[at + word.len()..]);
        (if at_start { at == 0 } else { ends(before.chars().next_back()) })
            && (open || ends(after.chars().next()))
    })
}

/// Small letters without accents, so that spellings of one city in several languages are one.
fn folded(text: &str) -> String {
    let letters = text.chars().flat_map(char::to_lowercase);
    let letters = letters.filter(|letter| !('\u{300}'..='\u{36f}').contains(letter));
    letters
        .map(|letter| match letter {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => 'a',
            'ç' | 'ć' | 'č' => 'c',
            'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => 'e',
            'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => 'i',
            'ł' => 'l',
            'ñ' | 'ń' | 'ň' => 'n',
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => 'o',
            'ř' => 'r',
            'ś' | 'š' | 'ș' | 'ş' => 's',
            'ť' | 'ț' | 'ţ' => 't',
            'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' => 'u',
            'ý' => 'y',
            'ź' | 'ż' | 'ž' => 'z',
            other => other,
        })
        .collect()
}

/// A device's zone: one with its daylight saving, or an offset that never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Of the IANA database.
    Named(Tz),
    /// As a person gave it.
    Fixed(FixedOffset),
}

impl Zone {
    /// `Europe/Paris`, or `+01:00`.
    pub fn name(self) -> String {
        match self {
            Zone::Named(zone) => zone.name().to_owned(),
            Zone::Fixed(offset) => offset.to_string(),
        }
    }
}

/// A zone that a person gave, and the devices that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneRule {
    /// Names of devices, `*` stands for anything; `None` for all that no pattern fits.
    pub pattern: Option<String>,
    /// Their zone.
    pub zone: Zone,
}

impl ZoneRule {
    /// As a person would type it.
    pub fn typed(&self) -> String {
        let zone = self.zone.name();
        self.pattern.as_ref().map_or(zone.clone(), |pattern| format!("{pattern}={zone}"))
    }
}

/// Reads `ZONE` or `PATTERN=ZONE`; a zone is an IANA name (case is ignored) or `±hh:mm`.
///
/// # Errors
/// Says what is no zone, and what may have been meant.
pub fn read_rule(text: &str) -> Result<ZoneRule, String> {
    let (pattern, zone) = match text.rsplit_once('=') {
        Some((pattern, zone)) => (Some(pattern.trim()), zone.trim()),
        None => (None, text.trim()),
    };
    if pattern.is_some_and(str::is_empty) {
        return Err("no device before the `=`; write PAR-*=Europe/Paris".to_owned());
    }
    Ok(ZoneRule { pattern: pattern.map(str::to_owned), zone: read_zone(zone)? })
}

fn read_zone(text: &str) -> Result<Zone, String> {
    if text.starts_with(['+', '-']) {
        return read_offset(text).map(Zone::Fixed).ok_or_else(|| {
            format!("`{text}` is no offset from UTC; write +01:00 to at most 14:00")
        });
    }
    let any_case =
        || TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(text)).copied();
    Tz::from_str(text).ok().or_else(any_case).map(Zone::Named).ok_or_else(|| unknown(text))
}

/// `+01:00`, `-0330` or `+1`, up to fourteen hours.
fn read_offset(text: &str) -> Option<FixedOffset> {
    let (sign, digits) = (if text.starts_with('-') { -1 } else { 1 }, text.get(1..)?);
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 4) => digits.split_at_checked(2)?,
        (None, _) => (digits, "00"),
    };
    let is_number =
        |text: &str| matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(hours) || !is_number(minutes) || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= 14 * 60).then(|| FixedOffset::east_opt(sign * total * 60)).flatten()
}

/// What is told of a name that is no zone: what looks or reads like it, or where it lies.
fn unknown(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    let wanted = folded(&shown).replace(' ', "_");
    let distance = |zone: &Tz| {
        let name = zone.name().to_lowercase();
        let city = name.rsplit('/').next().unwrap_or(&name);
        strsim::osa_distance(&name, &wanted).min(strsim::osa_distance(city, &wanted))
    };
    let near = TZ_VARIANTS.iter().map(|zone| (distance(zone), zone.name())).min();
    let near = near.filter(|(distance, _)| *distance <= 1 + wanted.chars().count() / 4);
    let meant = near.map_or_else(
        || "write an IANA name such as Europe/Berlin, or an offset such as +01:00".to_owned(),
        |(_, name)| format!("did you mean {name}?"),
    );
    format!("`{shown}` is no time zone; {meant}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{NaiveDate, Offset, TimeZone};

    /// Names as Windows prints them, and the zone.
    const SPECIMENS: &str = include_str!("../tests/zones/names.txt");

    fn minutes(zone: Tz, month: u32) -> i32 {
        let day = NaiveDate::from_ymd_opt(2025, month, 15).expect("a day");
        let noon = day.and_hms_opt(12, 0, 0).expect("a time");
        zone.offset_from_utc_datetime(&noon).fix().local_minus_utc() / 60
    }

    /// Standard time is the lesser of winter's and summer's, whichever half of the year has it.
    #[test]
    fn every_standard_offset_is_the_zones_own() {
        for (offset, zone, words) in ZONES {
            let standard = minutes(*zone, 1).min(minutes(*zone, 7));
            assert_eq!(standard, *offset, "{zone} ({words})");
        }
        assert!(ZONES.is_sorted_by_key(|(offset, _, _)| offset));
        assert!(ZONES.len() > 130);
    }

    #[test]
    fn no_word_stands_for_two_zones() {
        for (offset, zone, words) in ZONES {
            for word in words.split(',').map(str::trim) {
                let word = word.trim_start_matches('^').trim_end_matches('*');
                assert_eq!(by_display_name(*offset, word), Some(*zone), "{word}");
            }
        }
    }

    #[test]
    fn names_of_windows_are_known() {
        let mut seen = std::collections::BTreeSet::new();
        for line in SPECIMENS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (shown, wanted) = line.split_once(" = ").expect("a name and a zone");
            let (offset, name) = shown.split_once(") ").expect("an offset and a name");
            let offset = offset.trim_start_matches("(UTC");
            let offset = if offset.is_empty() {
                Some(0)
            } else {
                read_offset(offset).map(|o| o.local_minus_utc() / 60)
            };
            let found = by_display_name(offset.expect("an offset"), name);
            assert_eq!(found.map_or("none", |zone| zone.name()), wanted, "{shown}");
            seen.insert(wanted);
        }
        let unseen: Vec<&str> = ZONES
            .iter()
            .map(|(_, zone, _)| zone.name())
            .filter(|name| !seen.contains(name))
            .collect();
        assert!(unseen.is_empty(), "no name for {unseen:?}");
    }

    #[test]
    fn rules_are_read() {
        let zone = |text: &str| read_rule(text).map(|rule| (rule.pattern, rule.zone));
        let paris = Zone::Named(Tz::Europe__Paris);
        assert_eq!(zone("europe/paris"), Ok((None, paris)));
        assert_eq!(zone("PAR-*=Europe/Paris"), Ok((Some("PAR-*".to_owned()), paris)));
        let fixed = |minutes: i32| Zone::Fixed(FixedOffset::east_opt(minutes * 60).expect("small"));
        assert_eq!(zone("-03:30"), Ok((None, fixed(-210))));
        assert_eq!(zone("A=+1"), Ok((Some("A".to_owned()), fixed(60))));
        for wrong in ["+25:00", "+14:01", "+01:60", "+", "+1:5", "+０1:00", "=UTC", "A=", ""] {
            assert!(zone(wrong).is_err(), "{wrong}");
        }
        let told = |text: &str| zone(text).expect_err("no zone");
        assert_eq!(
            told("Europe/Pariss"),
            "`Europe/Pariss` is no time zone; did you mean Europe/Paris?"
        );
        assert!(
            told("New York").contains("did you mean America/New_York?"),
            "{}",
            told("New York")
        );
        assert!(told("Mars/Olympus Mons").contains("write an IANA name"));
        assert!(told(&"x".repeat(1 << 20)).len() < 200);
    }
}
